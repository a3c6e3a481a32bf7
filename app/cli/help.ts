import type { Flags } from "./flags.ts";

export type Help = {
  name: string;
  /** What the verb does. */
  about: string;
  flags: Flags;
  /** What may follow the hyphens, when it is not flags. */
  operands?: string;
  /** What may follow `npm run <name>`. */
  examples: readonly string[];
  exitCodes: Readonly<Record<string, string>>;
};

const help = "--help";

/** Renders the help of a verb: one flag a line, examples, exit codes. */
export function renderHelp({ name, about, flags, operands = "[FLAGS]", examples, exitCodes }: Help): string {
  const rows = [
    ...Object.entries(flags).map(([flag, spec]) => [
      spec.type === "string" ? `--${flag} ${spec.value}` : `--${flag}`,
      spec.about,
    ]),
    [help, "this text; nothing is done"],
  ];
  const codes = Object.entries(exitCodes);
  return [
    `usage: npm run ${name} -- ${operands}`,
    about,
    "",
    "FLAGS (behind the two hyphens, or npm keeps them for itself)",
    ...alignRows(rows),
    "",
    "EXAMPLES",
    ...examples.map((words) => `  ${renderCommand(name, words)}`),
    "",
    "EXIT CODES",
    ...alignRows(codes),
  ].join("\n");
}

/** The hint below an error in a command line. */
export function renderHint({ name, operands = "[FLAGS]" }: Help): string {
  return `usage: npm run ${name} -- ${operands}; every flag: ${renderCommand(name, help)}`;
}

/** A verb as it is typed. */
export function renderCommand(name: string, words: string): string {
  return words === "" ? `npm run ${name}` : `npm run ${name} -- ${words}`;
}

function alignRows(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([first = ""]) => first.length));
  return rows.map(([first = "", second = ""]) => `  ${first.padEnd(width)}  ${second}`);
}
