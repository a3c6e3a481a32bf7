import { createInterface } from "node:readline/promises";

import { Refused } from "./command-line.ts";

/** Asks for confirmation. Throws Refused when the answer is no, or when there is no terminal. */
export async function confirm(question: string, { yes }: { yes: boolean }): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `, "--yes");
  if (!/^y(es)?$/i.test(answer)) throw new Refused("declined; nothing was changed");
}

/** Asks for a name to be typed. Throws Refused when it differs, or when there is no terminal. */
export async function confirmName(question: string, { name, flag }: { name: string; flag: string }): Promise<void> {
  const answer = await ask(question, flag);
  if (answer !== name) throw new Refused(`"${answer}" is not ${name}; nothing was changed`);
}

async function ask(question: string, flag: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new Refused(
      `this is no terminal, and nobody can be asked; nothing was changed. If it is wanted, add ${flag}`,
    );
  using terminal = createInterface({ input: process.stdin, output: process.stdout });
  return (await terminal.question(question)).trim();
}
