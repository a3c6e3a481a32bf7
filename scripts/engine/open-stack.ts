import { join } from "node:path";

import { LocalWorkspace, Stack, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { findPulumi } from "./find-pulumi.ts";

/** Where Pulumi.yaml and the stacks' settings lie. */
const repository = join(import.meta.dirname, "../..");

/** Opens the project. Throws when there is no `pulumi`. */
export async function openWorkspace(): Promise<LocalWorkspace> {
  return LocalWorkspace.create({ workDir: repository, pulumiCommand: await findPulumi(process.env) });
}

/** Opens a stack that exists, by its name or the one that is selected. Throws, with the next step, when there is none. */
export async function openStack(name: string | undefined): Promise<Stack> {
  const workspace = await openWorkspace();
  const wanted = name ?? (await workspace.stack())?.name;
  if (wanted === undefined)
    throw new Error("no stack is selected: name one with --stack, or make one: pulumi stack init");
  const stack = await findStack(workspace, wanted);
  if (stack === null) throw new Error(`there is no stack ${wanted}: pulumi stack init ${wanted}, then set its config`);
  return stack;
}

/** Opens a stack, or null when it does not exist. */
export async function findStack(workspace: LocalWorkspace, name: string): Promise<Stack | null> {
  try {
    return await Stack.select(name, workspace);
  } catch (error) {
    if (error instanceof StackNotFoundError) return null;
    throw error;
  }
}

/** How many resources a stack's state holds; the program's groups and providers count. */
export async function countResources(stack: Stack): Promise<number> {
  const { deployment } = await stack.exportStack();
  return Value.Parse(StateSchema, deployment).resources?.length ?? 0;
}

const StateSchema = Type.Object({ resources: Type.Optional(Type.Array(Type.Unknown())) });

/** The file that holds a stack's settings; Pulumi leaves the organization out of its name. */
export function settingsFileOf(stackName: string): string {
  return join(repository, `Pulumi.${stackName.split("/").at(-1)}.yaml`);
}
