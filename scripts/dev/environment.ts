import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";

import { Refused } from "../../app/cli/command-line.ts";
import { writeDurably } from "../../app/durable-file.ts";
import { parseJson } from "../../app/replica/parse-json.ts";

/** The folder of the development data. */
export const devFolder = join(import.meta.dirname, "../../.dev");

const file = join(devFolder, "environment.json");

/** Notes the environment of the app that `npm run dev` runs, for the verbs that ask it. */
export function noteDevEnvironment(environment: Readonly<Record<string, string>>): void {
  writeDurably(file, `${JSON.stringify(environment, null, 2)}\n`);
}

/** Gives this process the environment of that app. Throws Refused when there was none. */
export function adoptDevEnvironment(): void {
  if (!existsSync(file))
    throw new Refused("there is no app of npm run dev on this computer yet; start it: npm run dev");
  Object.assign(process.env, parseJson(Type.Record(Type.String(), Type.String()), readFileSync(file, "utf8"), file));
}
