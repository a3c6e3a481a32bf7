import type { Stack } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../cli/transcript.ts";
import { activates, type Plan, readPlan } from "../engine/plan.ts";
import { Progress } from "../engine/progress.ts";
import { runEngine } from "../engine/run-engine.ts";
import { renderStopped } from "../remote/stop-machine.ts";
import { openStoreOf } from "../store/open-store.ts";
import { findRefusedBoot, renderRefusedBoot } from "./boot-reports.ts";
import type { RefreshedPlan } from "./preview-refreshed.ts";
import { waitUntilReady } from "./wait-until-ready.ts";

const readyLimitMs = 120_000;

type Raised = { url: string; state: string };
type Approved = RefreshedPlan & {
  /** The address of the machine whose services were stopped for this; undefined when none were. */
  stoppedIp: string | undefined;
};

/** Lets the engine carry out a plan, and waits until the machine answers. A failure brings what the machine's boot said about it. */
export async function raiseStack(
  stack: Stack,
  { plan, refresh, stoppedIp }: Approved,
  transcript: Transcript,
): Promise<Raised> {
  const startedAt = new Date();
  try {
    using progress = new Progress(transcript);
    const done = readPlan(await runEngine((options) => stack.up({ ...options, refresh }), progress.listen));
    const url = String((await stack.outputs())["url"]?.value);
    const state = await transcript.step(
      `${url}/ready from here`,
      () => waitUntilReady(url, { timeoutMs: readyLimitMs, hasAnsweredItself: activates(done) }),
      (answered) => answered,
    );
    return { url, state };
  } catch (error) {
    await tellBoot({ stack, plan, startedAt }, transcript);
    if (stoppedIp !== undefined) transcript.line(renderStopped(stoppedIp, "npm run up -- --approve-replacement"));
    throw error;
  }
}

/** Says what the boot said, if it did. The failure that brought us here is the one to be thrown. */
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
