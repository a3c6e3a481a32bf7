import { randomBytes } from "node:crypto";
import { resolve } from "node:path";

import { optionalTextAt, type Properties, readProperties, textAt } from "../provider/properties.ts";
import type { ProviderCall, Resource, Workplace } from "../provider/resource.ts";
import { type ServedProvider, serveProvider } from "../provider/serve-provider.ts";
import { runScript } from "./run-script.ts";

/** Stands in for the command provider, of which we use `local.Command` alone: it really runs its script. */
export function serveCommand(
  environment: Record<string, string>,
  calls: ProviderCall[],
  workplace: Workplace,
): Promise<ServedProvider> {
  const resources = { "command:local:Command": localCommand(environment, workplace) };
  return serveProvider({ version: "1.2.1", resources }, calls);
}

function localCommand(environment: Record<string, string>, workplace: Workplace): Resource {
  const carryOut = async (script: string | null, inputs: Properties, state: Properties = {}): Promise<Properties> => {
    if (script === null) return { stdout: "", stderr: "" };
    const given = readProperties(inputs["environment"] ?? {});
    const named = Object.fromEntries(Object.keys(given).map((name) => [name, textAt(given, name)]));
    const variables = { ...named, ...previousOutput(inputs, state) };
    const { stdout, stderr } = await runScript(script, {
      stdin: optionalTextAt(inputs, "stdin") ?? "",
      environment: { ...environment, ...variables },
      directory: resolve(workplace.directory, optionalTextAt(inputs, "dir") ?? "."),
    });
    return { stdout, stderr };
  };
  return {
    // Whatever `update` says: the SDK adds `replaceOnChanges: ["triggers[*]"]`.
    replaceOn: ["triggers"],
    create: async (inputs) => {
      const state = await carryOut(optionalTextAt(inputs, "create"), inputs);
      return { id: randomBytes(8).toString("hex"), state };
    },
    update: (_id, inputs, state) =>
      carryOut(optionalTextAt(inputs, "update") ?? optionalTextAt(inputs, "create"), inputs, state),
    delete: async (_id, state) => void (await carryOut(optionalTextAt(state, "delete"), state, state)),
  };
}

/** The provider's `addPreviousOutputInEnv`, which is on by default. */
function previousOutput(inputs: Properties, state: Properties): Record<string, string> {
  const stdout = optionalTextAt(state, "stdout");
  if (inputs["addPreviousOutputInEnv"] === false || stdout === null) return {};
  return { PULUMI_COMMAND_STDOUT: stdout, PULUMI_COMMAND_STDERR: optionalTextAt(state, "stderr") ?? "" };
}
