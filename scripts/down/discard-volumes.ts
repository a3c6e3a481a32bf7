import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../cli/transcript.ts";
import { findServer, findUnprotectedVolumes } from "../engine/find-refusals.ts";
import type { Plan, PlanStep } from "../engine/plan.ts";
import { openHetzner } from "../hetzner/open-hetzner.ts";

/**
 * The volumes that go with their machine (config protectData false): what is on them must be in the bucket, so without a server that can prove it
 * by a final sync there are none.
 */
export function findDiscarded(plan: Plan, { withoutFinalSync }: { withoutFinalSync: boolean }): PlanStep[] {
  return withoutFinalSync || findServer(plan) === undefined ? [] : findUnprotectedVolumes(plan);
}

/** Deletes them, by their ids, of which no server may hold one any more. Throws when somebody has protected one meanwhile. */
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
