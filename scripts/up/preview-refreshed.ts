import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../cli/transcript.ts";
import { type Plan, readPlan } from "../engine/plan.ts";
import { PlanProgress } from "../engine/progress.ts";
import { EngineFailure, runEngine } from "../engine/run-engine.ts";

export type RefreshedPlan = {
  plan: Plan;
  /** Whether both clouds were asked what still stands; the update must do as its plan did. */
  refresh: boolean;
};

/**
 * Plans an `up`, and looks at both clouds first: else the engine would not see that a server is gone. That look uses the token that the state remembers, and fails when
 * it was revoked meanwhile; then the plan is made from the state alone. (`runProgram` would take the new token, but makes the engine forget the server's `replacementTrigger`.)
 */
export async function previewRefreshed(
  stack: Stack,
  file: { configFile?: string },
  transcript: Transcript,
): Promise<RefreshedPlan> {
  using progress = new PlanProgress(transcript);
  const preview = async (refresh: boolean) => {
    return readPlan(await runEngine((options) => stack.preview({ ...options, ...file, refresh }), progress.listen));
  };
  try {
    return { plan: await preview(true), refresh: true };
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
    const plan = await preview(false);
    transcript.line(`planned from the state alone, since what stands could not be looked at: ${error.message}`);
    return { plan, refresh: false };
  }
}
