import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { findDoomedServer } from "../stack/find-refusals.ts";
import { openHetzner } from "../stack/open-hetzner.ts";
import type { Plan } from "../stack/plan.ts";

/**
 * Corrects a plan after a replacement that was interrupted between deletion and creation. The engine announces it as a
 * replacement again, and no refresh changes that. If Hetzner no longer has the server, it is a creation, which deletes
 * nothing and needs no approval.
 */
export async function recogniseGoneServer(stack: Stack, plan: Plan): Promise<Plan> {
  const doomed = findDoomedServer(plan);
  if (doomed?.act !== "replace") return plan;
  const hetzner = await openHetzner(stack);
  if (await hetzner.hasServer(Number(doomed.id))) return plan;
  return { ...plan, steps: plan.steps.map((step) => (step === doomed ? { ...step, act: "make" } : step)) };
}
