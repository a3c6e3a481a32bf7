import type { ConfigMap, Stack } from "@pulumi/pulumi/automation/index.js";

/** What is read of a stack to know its settings. */
export type StackSettings = {
  name: string;
  getAllConfig(): Promise<ConfigMap>;
  workspace: { projectSettings(): Promise<{ name: string }> };
};

/** What the settings of a stack are called in its file: `<project>:location`. */
export async function readProjectName({ workspace }: Pick<StackSettings, "workspace">): Promise<string> {
  return (await workspace.projectSettings()).name;
}

/** The settings of a stack's own project, by their names without it; lists are JSON. */
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
