import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Plan } from "../engine/plan.ts";
import { type CloudStore, openPatientStore } from "./open-client.ts";

/**
 * Opens the bucket of a plan as its program's own scripts would, a given store with the key of the stack's config. Undefined when the plan does not
 * tell where the bucket is.
 */
export async function openStoreOf(
  stack: Pick<Stack, "getConfig">,
  { storeEnvironment }: Pick<Plan, "storeEnvironment">,
  requestLimitMs?: number,
): Promise<CloudStore | undefined> {
  return storeEnvironment === undefined ? undefined : openStoreAt(stack, storeEnvironment, requestLimitMs);
}

/** The same, by what the program tells its scripts. */
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
