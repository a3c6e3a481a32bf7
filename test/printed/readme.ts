import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const readme = readFileSync(join(dirname(dirname(import.meta.dirname)), "README.md"), "utf8");

/** The block of commands that ends with this one. Throws when there is none. */
export function readBlock(lastLine: string): string {
  const blocks = [...readme.matchAll(/^```\n([^]*?)\n```$/gm)].map(([, block = ""]) => block);
  const found = blocks.find((block) => block.split("\n").at(-1) === lastLine || block.startsWith(lastLine));
  if (found === undefined) throw new Error(`README.md has no block with "${lastLine}"`);
  return found;
}

/** A line of a block, or the code of a sentence, that looks like this. Throws when there is none. */
export function readLine(pattern: RegExp): string {
  const inSentences = [...readme.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
  const lines = readme.split("\n").filter((line) => !line.startsWith("- "));
  const found = [...lines, ...inSentences].find((code) => pattern.test(code));
  if (found === undefined) throw new Error(`README.md has no line like ${pattern}`);
  return found;
}
