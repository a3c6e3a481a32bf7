import { runVerb } from "./cli/run-verb.ts";
import { onLaptop } from "./remote/arguments.ts";
import { carryOutFar, findVerb } from "./remote/far-verb.ts";

// A verb of the machine as an npm script.
const [name = "", ...words] = process.argv.slice(2);
await runVerb(onLaptop(findVerb(name).command), words, (far) => carryOutFar(name, far));
