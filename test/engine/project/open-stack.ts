import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";

import { type ConfigMap, LocalWorkspace, type PulumiFn, type Stack } from "@pulumi/pulumi/automation/index.js";

import type { ServedCloud } from "../hcloud/serve-hcloud.ts";
import type { Checkout } from "./check-out.ts";
import type { Ground, Project } from "./open-project.ts";

/** A stack whose program is a function of the test. */
export async function openInlineStack(project: Project, name: string, program: PulumiFn): Promise<Stack> {
  const workDir = await mkdtemp(join(project.directory, `${name}-`));
  const options = { ...project.workspace, workDir };
  const stack = await LocalWorkspace.createOrSelectStack({ stackName: name, projectName: "inline", program }, options);
  await stack.setAllConfig(hcloudConfig(project.hetzner));
  return stack;
}

/** A stack of the program as it is shipped: Pulumi.yaml, the language host and infra/index.ts. */
export async function openShippedStack(
  project: Pick<Ground, "workspace" | "hetzner">,
  checkout: Checkout,
  { name = "production", config = {} }: { name?: string; config?: ConfigMap } = {},
): Promise<Stack> {
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: name, workDir: checkout.directory },
    project.workspace,
  );
  await stack.setAllConfig({ ...hcloudConfig(project.hetzner), ...leastConfig, ...config }, true);
  return stack;
}

function hcloudConfig({ token, endpoint }: ServedCloud): ConfigMap {
  return {
    "hcloud:token": { value: token, secret: true },
    "hcloud:endpoint": { value: endpoint },
    "hcloud:pollInterval": { value: "20ms" },
  };
}

export const apiToken = "a-token-of-the-tests-that-is-long-enough";

/** What Pulumi.yaml has no default for. */
const leastConfig: ConfigMap = {
  "aws:region": { value: "us-east-1" },
  apiTokens: { value: apiToken, secret: true },
  "adminCidrs[0]": { value: "203.0.113.7/32" },
  // This computer: whoever runs `up` uses the machine's key, which works from the administrators' networks.
  "adminCidrs[1]": { value: "127.0.0.1/32" },
  "sshKeys[0]": { value: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUmYl2V2S0c0lNbN7M8cC0o7YQ3dXr8QbHqk9bM test" },
};
