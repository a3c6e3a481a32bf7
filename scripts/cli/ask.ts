import { createInterface } from "node:readline/promises";

import { Refused } from "./run-verb.ts";

/** Asks a person to go on. Throws Refused when the answer is no, or when there is nobody who could be asked. */
export async function confirm(question: string, { yes }: { yes: boolean }): Promise<void> {
  if (yes) return;
  const answer = await ask(`${question} [y/N] `, "--yes");
  if (!/^y(es)?$/i.test(answer)) throw new Refused("declined; nothing was changed");
}

/** Asks a person to type a name. Throws Refused when it is another one, or when there is nobody who could be asked. */
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
