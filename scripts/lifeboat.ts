import { quote } from "../app/cli/quote.ts";
import { verbs } from "../app/verbs.ts";
import { runVerb } from "./cli/run-verb.ts";
import { adoptDevEnvironment } from "./dev/environment.ts";
import { type FarOptions, onLaptop } from "./remote/arguments.ts";
import { findRunningMachine } from "./remote/find-machine.ts";
import { runOnMachine } from "./ssh/ssh.ts";

// A verb of the machine as an npm script: here where this computer runs the app, else over SSH on the stack's machine.
const [name = "", ...words] = process.argv.slice(2);
const verb = verbs.find(({ command }) => command.name === name);
if (verb === undefined) throw new Error(`package.json has a script ${name}, and app/verbs.ts no such verb`);
const { command, run } = verb;
await runVerb(onLaptop(command), words, carryOut);

async function carryOut({ stack, dev, words: own }: FarOptions): Promise<void> {
  if (dev) adoptDevEnvironment();
  const isHere = (process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "";
  if (isHere) return run(own, "npm run");
  const machine = await findRunningMachine(stack);
  process.exitCode = await runOnMachine(machine, ["lifeboat", name, ...own].map(quote).join(" "));
}
