import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { Refused } from "../cli/run-verb.ts";
import type { Transcript } from "../cli/transcript.ts";
import type { Plan, PlanStep } from "../engine/plan.ts";
import { fetchHostKeys } from "../ssh/host-keys.ts";
import { runOverSsh, type SshTarget } from "../ssh/ssh.ts";
import { openStoreOf } from "../store/open-store.ts";

const script = join(import.meta.dirname, "stop-services.sh");
const waysOut =
  "Nothing was changed. Look at the machine, and run this again; or give up what is not in the bucket yet: --without-final-sync";

/**
 * Stops Lifeboat on the server of a plan and makes sure that its final sync is in the bucket. Returns its address.
 * Throws Refused when that is not certain.
 */
export async function stopMachine(
  stack: Stack,
  { plan, server }: { plan: Plan; server: PlanStep },
  transcript: Transcript,
): Promise<string> {
  const target = await findTarget(stack, plan, server);
  await transcript.step(
    "stop the services, final sync",
    () => stopServices(target),
    () => "everything is in the bucket",
  );
  return target.ip;
}

/** Says that the services are stopped although the server still exists, and how to go on or to serve again. */
export function renderStopped(ip: string, goOn: string): string {
  return `the services of the machine at ${ip} were stopped. To go on: ${goOn}; to serve again, if it still stands: ssh root@${ip} systemctl start lifeboat.target`;
}

/** Finds the server's address and its host keys in the bucket. Without them somebody else could report a final sync. */
async function findTarget(stack: Stack, plan: Plan, { id, state }: PlanStep): Promise<SshTarget> {
  const server = id ?? "";
  using store = await openStoreOf(stack, plan);
  const hostKeys = store === undefined ? undefined : await fetchHostKeys(store, server);
  if (hostKeys !== undefined && hostKeys.length > 0) return { ip: String(state["ipv4Address"]), server, hostKeys };
  throw new Refused(
    `server ${server} has not told the bucket its SSH host keys, so whoever answers may be somebody else. ${waysOut}`,
  );
}

async function stopServices(target: SshTarget): Promise<void> {
  try {
    await runOverSsh(target, { script: readFileSync(script, "utf8"), stdin: "" });
  } catch (error) {
    throw new Refused(`the final sync did not end well. ${waysOut}`, { cause: error });
  }
}
