import * as pulumi from "@pulumi/pulumi";

import { type RecordedResource, type World, recordStack } from "./recorded-stack.ts";

export const settings = {
  "hcloud:token": "t".repeat(64),
  "aws:region": "eu-central-1",
  "lifeboat:adminCidrs": '["203.0.113.7/32"]',
  "lifeboat:sshKeys": '["laptop","ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUm me@laptop"]',
  "lifeboat:apiTokens": "tok_0123456789abcdef0123456789",
};

export type LoadedProgram = {
  resources: RecordedResource[];
  /** The functions of providers that it asked. */
  calls: string[];
  outputs: typeof import("../../infra/index.ts");
  /** The only resource of a type, and of a name if one is given. Throws when there is none, or more than one. */
  the(type: string, name?: string): RecordedResource;
};

/** Runs the shipped program against a recorder. Only once in a test file: what it registers is kept for good. */
export async function loadProgram(world: World): Promise<LoadedProgram> {
  const { calls, listResources } = await recordStack(world);
  const outputs = await import("../../infra/index.ts");
  await pulumi.runtime.disconnect();
  const resources = listResources();
  const the = (type: string, name?: string) => {
    const [found, ...more] = resources.filter((one) => one.type === type && (name === undefined || one.name === name));
    if (found === undefined || more.length > 0)
      throw new Error(`${type} ${name ?? ""}: ${more.length + (found ? 1 : 0)} found`);
    return found;
  };
  return { resources, calls, outputs, the };
}
