import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const root = dirname(dirname(import.meta.dirname));

/** Reads a file of the repository. */
export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The README and every page of docs, by path. */
export function listPages(): string[] {
  const names = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  return ["README.md", ...names.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
}

/** The part of a page below a heading, up to the next one of the same level or a higher one. */
export function readSection(page: string, heading: string): string {
  const [, marks = "", body = ""] = new RegExp(`^(#+) ${heading}\\n([^]*)`, "m").exec(page) ?? [];
  if (marks === "") throw new Error(`no heading "${heading}"`);
  return body.split(new RegExp(`^#{1,${marks.length}} `, "m"))[0] ?? "";
}

/** The rows of the tables in a text, cell by cell, without their heads. */
export function readRows(text: string): string[][] {
  const lines = text.split("\n");
  return lines
    .filter((line, index) => /^\|.*\|$/.test(line) && !isRule(line) && !isRule(lines[index + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split(" | ")
        .map((cell) => cell.trim()),
    );
}

/** The line between the head of a table and its rows. */
function isRule(line = ""): boolean {
  return /^\|(?: --- \|)+$/.test(line);
}

/** What stands as code in a cell, such as `commit` and `disk`. */
export function readCode(cell = ""): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
