import { quote } from "../../app/cli/quote.ts";
import { verbs } from "../../app/verbs.ts";
import { adoptDevEnvironment } from "../dev/environment.ts";
import { runOnMachine } from "../ssh/ssh.ts";
import type { FarOptions } from "./arguments.ts";
import { findRunningMachine } from "./find-machine.ts";

/** The verb of the machine that a script of package.json is named after. Throws Error when there is none. */
export function findVerb(name: string) {
  const verb = verbs.find(({ command }) => command.name === name);
  if (verb === undefined) throw new Error(`package.json has a script ${name}, and app/verbs.ts no such verb`);
  return verb;
}

/** Carries a verb out here where this computer runs the app, else over SSH on the stack's machine. */
export async function carryOutFar(name: string, { stack, dev, words }: FarOptions): Promise<void> {
  if (dev) adoptDevEnvironment();
  if ((process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "") return findVerb(name).run(words, "npm run");
  const machine = await findRunningMachine(stack);
  process.exitCode = await runOnMachine(machine, ["lifeboat", name, ...words].map(quote).join(" "));
}
