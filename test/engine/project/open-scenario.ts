import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { ConfigMap, Stack } from "@pulumi/pulumi/automation/index.js";

import type { Server } from "../hcloud/cloud.ts";
import { type Checkout, checkOut } from "./check-out.ts";
import { type Ground, openProject, type Project } from "./open-project.ts";
import { openShippedStack } from "./open-stack.ts";

/** A project, a checkout of the program and its stack "production", with what the tests ask most often. */
export type Scenario = Project & Readonly<{ checkout: Checkout; stack: Stack }>;

/** The bucket that stack "production" gets by default: project, stack, account. */
export const productionBucket = "lifeboat-production-123456789012";

export async function openScenario(config: ConfigMap = {}): Promise<Scenario> {
  const project = await openProject();
  const checkout = await checkOut(project);
  const stack = await openShippedStack(project, checkout, { config });
  return { ...project, checkout, stack };
}

/** What was asked of Hetzner since the last time, reads left out. */
export function takeHetznerCalls({ hetzner }: Project): string[] {
  return hetzner.calls.splice(0).map(({ call }) => call);
}

/** The one server there is. Throws when there are more or none. */
export function onlyServer({ hetzner }: Pick<Ground, "hetzner">): Server {
  const [server, ...others] = hetzner.cloud.servers.values();
  if (server !== undefined && others.length === 0) return server;
  throw new Error(`expected one server, found ${hetzner.cloud.servers.size}`);
}

export async function readObject(project: Project, bucket: string, key: string): Promise<unknown> {
  return JSON.parse(await readText(project, bucket, key));
}

export async function readText({ account }: Pick<Ground, "account">, bucket: string, key: string): Promise<string> {
  const { Body } = await account.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? "";
}

/** The objects of a bucket, without what the machines report about themselves. */
export async function listKeys({ account }: Pick<Ground, "account">, bucket: string): Promise<string[]> {
  const { Contents = [] } = await account.s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.flatMap(({ Key }) => Key ?? []).filter((key) => !key.startsWith("reports/"));
}

/** The message with which an operation of the engine fails. Throws when it succeeds. */
export async function failureOf(operation: Promise<unknown>): Promise<string> {
  const outcome = await operation.then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (outcome === null) throw new Error("the operation succeeded, and was expected to fail");
  return outcome;
}

/** The value of NAME='value' in a machine's user-data. */
export function settingOf({ user_data }: Server, name: string): string {
  const value = new RegExp(`^\\s*${name}='(.*)'$`, "m").exec(user_data)?.[1];
  if (value === undefined) throw new Error(`user-data holds no ${name}`);
  return value;
}
