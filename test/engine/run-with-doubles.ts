// npm run doubles -- pulumi preview --diff     npm run doubles -- up --dry-run     npm run doubles -- bash
import { spawn } from "node:child_process";
import { once } from "node:events";

import { readOptions } from "../../scripts/cli/run-verb.ts";
import { doublesCommand, findScript } from "./doubles-command.ts";

type Given = ReturnType<typeof doublesCommand.readArguments>;

const options = readOptions(doublesCommand, process.argv.slice(2));
if (options !== null) process.exitCode = await runWithDoubles(options);

async function runWithDoubles({ program, words, isReal }: Given): Promise<number> {
  await using place = isReal ? await openReal() : await openPlayed();
  if (place === null) return 1;
  const script = findScript(program);
  const child = spawn(script === undefined ? program : process.execPath, [...(script ? [script] : []), ...words], {
    cwd: place.checkout.directory,
    env: { ...withoutSettingsOfNpm(process.env), ...place.shell },
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

// The help is there before all that they need is loaded.
async function openPlayed() {
  const { openScenario } = await import("./project/open-scenario.ts");
  const scenario = await openScenario();
  scenario.machines.hearDeploys();
  return scenario;
}

async function openReal() {
  const { findObstacle } = await import("../../scripts/virtual/find-obstacle.ts");
  const obstacle = findObstacle({ suite: "trixie", servers: 1, memoryMb: 1024 });
  if (obstacle !== null) {
    process.stderr.write(`doubles: ${obstacle}\n`);
    return null;
  }
  const { openLocalCloud } = await import("./project/open-local-cloud.ts");
  return openLocalCloud();
}

/** Removes the settings of the npm that runs us: a verb would take them for flags that npm kept from it. */
function withoutSettingsOfNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("npm_")));
}
