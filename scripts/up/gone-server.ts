import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { findDoomedServer } from "../engine/find-refusals.ts";
import type { Plan } from "../engine/plan.ts";
import { openHetzner } from "../hetzner/open-hetzner.ts";

/**
 * The plan as it is. A replacement that was cut off between deletion and creation is announced as a replacement again, and no refresh changes that:
 * if Hetzner no longer has the server, one is made, which takes nothing away and needs nobody's approval.
 */
export async function recogniseGoneServer(stack: Stack, plan: Plan): Promise<Plan> {
  const doomed = findDoomedServer(plan);
  if (doomed?.act !== "replace") return plan;
  const hetzner = await openHetzner(stack);
  if (await hetzner.hasServer(Number(doomed.id))) return plan;
  return { ...plan, steps: plan.steps.map((step) => (step === doomed ? { ...step, act: "make" } : step)) };
}
