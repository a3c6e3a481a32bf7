import { runLifeboat } from "./cli/verb.ts";
import { verbs } from "./verbs.ts";

// The program `lifeboat` of a machine.
await runLifeboat(verbs, process.argv.slice(2));
