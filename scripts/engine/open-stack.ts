import { join } from "node:path";

import { LocalWorkspace, Stack, StackNotFoundError } from "@pulumi/pulumi/automation/index.js";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { findPulumi } from "./find-pulumi.ts";

/** The folder of Pulumi.yaml and the stacks' settings. */
const repository = join(import.meta.dirname, "../..");

/** Opens the project. Throws when there is no `pulumi`. */
export async function openWorkspace(): Promise<LocalWorkspace> {
  return LocalWorkspace.create({ workDir: repository, pulumiCommand: await findPulumi(process.env) });
}

/** Opens an existing stack, by its name or the selected one. Throws, with the next step, when there is none. */
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

const ResourceSchema = Type.Object({
  type: Type.String(),
  id: Type.Optional(Type.String()),
  inputs: Type.Optional(Type.Unknown()),
  outputs: Type.Optional(Type.Unknown()),
});
const StateSchema = Type.Object({ resources: Type.Optional(Type.Array(ResourceSchema)) });

/**
 * The resources in a stack's state; the program's components and providers are among them. Their secrets are in plain
 * text, so nobody prints them. Throws when the state has another form.
 */
export async function listResources(stack: Pick<Stack, "exportStack">): Promise<Static<typeof ResourceSchema>[]> {
  const { deployment } = await stack.exportStack();
  if (!Value.Check(StateSchema, deployment))
    throw new Error(
      `the state of this stack has a form that is not known here: use the version of Pulumi's CLI that package.json has of @pulumi/pulumi`,
    );
  return deployment.resources ?? [];
}

/** The file with a stack's settings. Pulumi leaves the organization out of its name. */
export function settingsFileOf(stackName: string): string {
  return join(repository, `Pulumi.${stackName.split("/").at(-1)}.yaml`);
}
