import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(dirname(import.meta.dirname));
/** Whatever speaks to people: messages, the card, the docs. */
const places = ["app", "infra", "scripts", "cloud-init", "docs", "README.md", "Pulumi.yaml"];

/** A command as it is printed: from its program to the end of the sentence or of the code around it. */
export type PrintedCommand = { at: string; program: "npm" | "pulumi" | "systemctl"; words: string[] };

const programs = /\b(npm|pulumi|systemctl) (?=[a-z-])/g;

/** Every command that a source, a document or a setting tells somebody to type. Comments count: they are read too. */
export function findPrintedCommands(): PrintedCommand[] {
  return listFiles().flatMap((path) => readCommands(path, readFileSync(join(root, path), "utf8")));
}

/** The commands in one text. */
export function readCommands(path: string, content: string): PrintedCommand[] {
  return content.split("\n").flatMap((line, index) => {
    const plain = replaceInserts(line);
    return [...plain.matchAll(programs)].map((match) => ({
      at: `${path}:${index + 1}`,
      program: match[1] === "npm" ? "npm" : match[1] === "pulumi" ? "pulumi" : "systemctl",
      words: splitWords(plain.slice(match.index + match[0].length)),
    }));
  });
}

/** What a program or a shell puts in stands for one word. */
function replaceInserts(line: string): string {
  return line
    .replaceAll(/"?\$\((?:[^()]|\([^()]*\))*\)(\/\d+)?"?/g, "INSERT")
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "INSERT");
}

function splitWords(rest: string): string[] {
  // A command ends where its code does, at another command, or at the end of a sentence.
  const [command = ""] = rest.split(/`|"|;| && | \|\| |\\n|\)|, |\. |: /);
  return command
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll(/^'|'$|[.,]$/g, ""))
    .filter((word) => word !== "");
}

function listFiles(): string[] {
  return places.flatMap((place) =>
    statSync(join(root, place)).isFile()
      ? [place]
      : readdirSync(join(root, place), { recursive: true, encoding: "utf8" })
          .map((name) => join(place, name))
          .filter((path) => statSync(join(root, path)).isFile()),
  );
}
