import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../../app/cli/transcript.ts";
import { findServer, findUnprotectedVolumes } from "../engine/find-refusals.ts";
import type { Plan, PlanStep } from "../engine/plan.ts";
import { openHetzner } from "../hetzner/open-hetzner.ts";

/**
 * The volumes that are deleted with their machine (config protectData false). Their content must be in the bucket, so
 * there are none unless a server can prove that by a final sync.
 */
export function findDiscarded(plan: Plan, { withoutFinalSync }: { withoutFinalSync: boolean }): PlanStep[] {
  return withoutFinalSync || findServer(plan) === undefined ? [] : findUnprotectedVolumes(plan);
}

/**
 * Deletes the volumes, by id. No server may hold one any more. Throws when somebody has protected one in the meantime.
 */
export async function discardVolumes(
  stack: Stack,
  discarded: readonly PlanStep[],
  transcript: Transcript,
): Promise<void> {
  const hetzner = await openHetzner(stack);
  for (const { id, name } of discarded) {
    await transcript.step(
      `volume ${name} (${id})`,
      () => hetzner.deleteVolume({ id: Number(id) }),
      () => "deleted",
    );
  }
}
