import type { Flags } from "./flags.ts";

/** What stands before a verb's name when it is typed. */
export type Caller = "npm run" | "lifeboat";

export type Help = {
  name: string;
  /** `npm run` without it. A verb of the machine is called by both. */
  caller?: Caller;
  /** What the verb does. */
  about: string;
  /** What the npm script of a machine's verb does, where that is not to ask the machine over SSH. */
  onLaptop?: string;
  flags: Flags;
  /** What may follow the hyphens, when it is not flags. */
  operands?: string;
  /** What may follow the name. */
  examples: readonly string[];
  exitCodes: Readonly<Record<string, string>>;
};

const help = "--help";

/** Renders the help of a verb: one flag a line, examples, exit codes. */
export function renderHelp({ name, caller, about, flags, operands = "[FLAGS]", examples, exitCodes }: Help): string {
  const rows = [
    ...Object.entries(flags).map(([flag, spec]) => [
      spec.type === "string" ? `--${flag} ${spec.value}` : `--${flag}`,
      spec.about,
    ]),
    [help, "this text; nothing is done"],
  ];
  const codes = Object.entries(exitCodes);
  return [
    `usage: ${renderCommand(name, operands, caller)}`,
    about,
    "",
    caller === "lifeboat" ? "FLAGS" : "FLAGS (behind the two hyphens, or npm keeps them for itself)",
    ...alignRows(rows),
    "",
    "EXAMPLES",
    ...examples.map((words) => `  ${renderCommand(name, words, caller)}`),
    "",
    "EXIT CODES",
    ...alignRows(codes),
  ].join("\n");
}

/** The hint below an error in a command line. */
export function renderHint({ name, caller, operands = "[FLAGS]" }: Help): string {
  return `usage: ${renderCommand(name, operands, caller)}; every flag: ${renderCommand(name, help, caller)}`;
}

/** A verb as it is typed. */
export function renderCommand(name: string, words: string, caller: Caller = "npm run"): string {
  const typed = `${caller} ${name}`;
  if (words === "") return typed;
  return caller === "lifeboat" ? `${typed} ${words}` : `${typed} -- ${words}`;
}

/** A verb as its messages name it. */
export function renderName({ name, caller }: Pick<Help, "name" | "caller">): string {
  return caller === "lifeboat" ? `lifeboat ${name}` : name;
}

function alignRows(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([first = ""]) => first.length));
  return rows.map(([first = "", second = ""]) => `  ${first.padEnd(width)}  ${second}`);
}
