import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Plan } from "../engine/plan.ts";
import { type CloudStore, openPatientStore } from "./open-client.ts";

/**
 * Opens the bucket of a plan like the program's own scripts, a given store with the key from the stack's config.
 * Undefined when the plan does not tell where the bucket is.
 */
export async function openStoreOf(
  stack: Pick<Stack, "getConfig">,
  { storeEnvironment }: Pick<Plan, "storeEnvironment">,
  requestLimitMs?: number,
): Promise<CloudStore | undefined> {
  return storeEnvironment === undefined ? undefined : openStoreAt(stack, storeEnvironment, requestLimitMs);
}

/** The same, from the environment that the program gives to its scripts. */
export async function openStoreAt(
  stack: Pick<Stack, "getConfig">,
  storeEnvironment: Readonly<Record<string, string>>,
  requestLimitMs?: number,
): Promise<CloudStore> {
  return openPatientStore(
    storeEnvironment,
    async () => (await stack.getConfig("secretAccessKey")).value,
    requestLimitMs,
  );
}
