export type Instruction = { name: string; rest: string };

/** Reads a Dockerfile as far as ours goes. Throws on everything else. */
export function parseDockerfile(dockerfile: string): Instruction[] {
  return dockerfile
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      if (!known.has(name) || rest.endsWith("\\")) throw new Error(`this is not read here: ${line}`);
      return { name, rest };
    });
}

const known = new Set([
  "FROM",
  "RUN",
  "ARG",
  "ADD",
  "ENV",
  "USER",
  "VOLUME",
  "EXPOSE",
  "STOPSIGNAL",
  "HEALTHCHECK",
  "ENTRYPOINT",
]);
