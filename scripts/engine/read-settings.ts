import type { ConfigMap, Stack } from "@pulumi/pulumi/automation/index.js";

/** The parts of a stack from which its settings are read. */
export type StackSettings = {
  name: string;
  getAllConfig(): Promise<ConfigMap>;
  workspace: { projectSettings(): Promise<{ name: string }> };
};

/** The prefix of the settings in a stack's file: `<project>:location`. */
export async function readProjectName({ workspace }: Pick<StackSettings, "workspace">): Promise<string> {
  return (await workspace.projectSettings()).name;
}

/** The settings of a stack's own project, by name without the prefix. Lists are JSON. */
export async function readSettings(stack: StackSettings): Promise<ReadonlyMap<string, string>> {
  const prefix = `${await readProjectName(stack)}:`;
  const settings = Object.entries(await stack.getAllConfig());
  const own = settings.filter(([key]) => key.startsWith(prefix));
  return new Map(own.map(([key, { value }]) => [key.slice(prefix.length), value]));
}

/** project/stack, as the program writes it into the bucket's sentinel: without the organization. */
export async function readOwner(stack: Stack): Promise<string> {
  return `${await readProjectName(stack)}/${stack.name.split("/").at(-1)}`;
}
