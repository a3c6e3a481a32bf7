// npm run doubles -- pulumi preview --diff     npm run doubles -- up --dry-run     npm run doubles -- bash
// Runs one command as a user would type it, in a copy of the repository with a stack that is configured, logged in to the
// doubles of Hetzner and AWS: nothing is bought, and nothing stays.
import { spawn } from "node:child_process";
import { once } from "node:events";

import { openScenario } from "./project/open-scenario.ts";
import { shellOf } from "./project/run-verb.ts";

const [program = "pulumi", ...words] = process.argv.slice(2);
const isVerb = program === "up" || program === "down";
await using scenario = await openScenario();
const child = spawn(isVerb ? process.execPath : program, isVerb ? [`scripts/${program}.ts`, ...words] : words, {
  cwd: scenario.checkout.directory,
  env: { ...process.env, ...shellOf(scenario) },
  stdio: "inherit",
});
const [code] = await once(child, "close");
process.exitCode = Number(code ?? 1);
