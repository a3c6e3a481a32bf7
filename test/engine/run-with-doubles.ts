// npm run doubles -- pulumi preview --diff     npm run doubles -- up --dry-run     npm run doubles -- bash
import { spawn } from "node:child_process";
import { once } from "node:events";

import { readOptions } from "../../scripts/cli/run-verb.ts";
import { doublesCommand, findScript } from "./doubles-command.ts";

const options = readOptions(doublesCommand, process.argv.slice(2));
if (options !== null) process.exitCode = await runWithDoubles(options);

async function runWithDoubles({ program, words }: { program: string; words: readonly string[] }): Promise<number> {
  // The help is there before all that they need is loaded.
  const { openScenario } = await import("./project/open-scenario.ts");
  await using scenario = await openScenario();
  const script = findScript(program);
  const child = spawn(script === undefined ? program : process.execPath, [...(script ? [script] : []), ...words], {
    cwd: scenario.checkout.directory,
    env: { ...withoutSettingsOfNpm(process.env), ...scenario.shell },
    stdio: "inherit",
  });
  try {
    const [code] = await once(child, "close");
    return Number(code ?? 1);
  } catch (error) {
    process.stderr.write(`doubles: ${program} could not be started (${String(error)})\n`);
    return 1;
  }
}

/** Removes the settings of the npm that runs us: a verb would take them for flags that npm kept from it. */
function withoutSettingsOfNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("npm_")));
}
