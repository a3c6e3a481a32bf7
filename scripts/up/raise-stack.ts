import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../../app/cli/transcript.ts";
import { activates, type Plan, readPlan } from "../engine/plan.ts";
import { Progress } from "../engine/progress.ts";
import { runEngine } from "../engine/run-engine.ts";
import { renderStopped } from "../remote/stop-machine.ts";
import { openStoreOf } from "../store/open-store.ts";
import { findRefusedBoot, renderRefusedBoot } from "./boot-reports.ts";
import type { RefreshedPlan } from "./preview-refreshed.ts";
import { type Reached, reachMachine } from "./reach-machine.ts";

type Approved = RefreshedPlan & {
  /** The address of the machine whose services were stopped for this. Undefined when none were. */
  stoppedIp: string | undefined;
};

/** Runs the engine on a plan, and waits until the machine answers. Adds the machine's boot report to a failure. */
export async function raiseStack(
  stack: Stack,
  { plan, refresh, stoppedIp }: Approved,
  transcript: Transcript,
): Promise<Reached> {
  const startedAt = new Date();
  try {
    using progress = new Progress(transcript);
    const done = readPlan(await runEngine((options) => stack.up({ ...options, refresh }), progress.listen));
    return await reachMachine(stack, activates(done), transcript);
  } catch (error) {
    await tellBoot({ stack, plan, startedAt }, transcript);
    if (stoppedIp !== undefined) transcript.line(renderStopped(stoppedIp, "npm run up -- --approve-replacement"));
    throw error;
  }
}

/** Prints the boot's report, if there is one. The original failure is the one to be thrown. */
async function tellBoot(up: { stack: Stack; plan: Plan; startedAt: Date }, transcript: Transcript): Promise<void> {
  try {
    using store = await openStoreOf(up.stack, up.plan);
    const report = store === undefined ? undefined : await findRefusedBoot(store, up.startedAt);
    if (report !== undefined) transcript.line(renderRefusedBoot(report));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    transcript.line(`(the bucket's boot reports cannot be read: ${why})`);
  }
}
