import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../../app/cli/transcript.ts";
import { type Plan, readPlan } from "../engine/plan.ts";
import { PlanProgress } from "../engine/progress.ts";
import { EngineFailure, runEngine } from "../engine/run-engine.ts";

export type RefreshedPlan = {
  plan: Plan;
  /** Whether both clouds were asked what exists. The update must do the same as its plan. */
  refresh: boolean;
};

/**
 * Plans an `up` after a refresh of both clouds: otherwise the engine would not notice that a server is gone. The
 * refresh uses the token in the state, and fails when that was revoked in the meantime. Then the plan is made from the
 * state alone. (`runProgram` would take the new token, but makes the engine forget the server's `replacementTrigger`.)
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
