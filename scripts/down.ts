import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { confirm } from "../app/cli/ask.ts";
import type { Transcript } from "../app/cli/transcript.ts";
import { runVerb } from "./cli/run-verb.ts";
import { downCommand, type DownOptions } from "./down/arguments.ts";
import { confirmDeletion, deleteData, findData } from "./down/delete-data.ts";
import { discardVolumes, findDiscarded } from "./down/discard-volumes.ts";
import { findKept, findServer } from "./engine/find-refusals.ts";
import { renderKeptAddresses } from "./engine/kept-addresses.ts";
import { listResources, openStack } from "./engine/open-stack.ts";
import { announceDeletion, findCard, type Plan, type PlanStep, readPlan } from "./engine/plan.ts";
import { PlanProgress, Progress } from "./engine/progress.ts";
import { refuseProtected } from "./engine/refuse-protected.ts";
import { renderPlan } from "./engine/render-plan.ts";
import { runEngine } from "./engine/run-engine.ts";
import { renderStopped, stopMachine } from "./remote/stop-machine.ts";

await runVerb(downCommand, process.argv.slice(2), down);

/**
 * Plan and question; a final sync, then the machine is deleted and the data stays, or is deleted too if its name was
 * typed.
 */
async function down(options: DownOptions, transcript: Transcript): Promise<void> {
  const stack = await openStack(options.stack);
  const plan = await planDown(stack, transcript);
  const isDown = plan.steps.length === 0;
  transcript.heading(`Plan for stack ${stack.name}`);
  const discarded = options.deleteData ? [] : findDiscarded(plan, options);
  const announced = options.deleteData
    ? announceDeletion(plan, findKept(plan), "after the bucket was named")
    : announceDeletion(plan, discarded, "after the final sync");
  transcript.line(isDown ? "nothing of it stands" : renderPlan(announced));
  tellKeptAddresses(announced, transcript);
  await refuseProtected(stack, announced);
  using data = options.deleteData ? await findData(stack, plan, transcript) : null;
  if (isDown && data === null) return;
  if (options.dryRun) {
    transcript.line("dry run: nothing was changed");
    return;
  }
  await confirm(`Take stack ${stack.name} down?`, options);
  if (data !== null) await confirmDeletion(data, options.bucketName, transcript);
  if (!isDown) await takeDown(stack, { plan, discarded, options }, transcript);
  if (data === null) return;
  await deleteData(data, transcript);
  transcript.line(`nothing of the stack is left but its settings: pulumi stack rm ${stack.name}`);
}

function tellKeptAddresses(plan: Plan, transcript: Transcript): void {
  const kept = renderKeptAddresses(plan);
  if (kept !== null) transcript.line(`\n${kept}\n`);
}

async function planDown(stack: Stack, transcript: Transcript): Promise<Plan> {
  using progress = new PlanProgress(transcript);
  return readPlan(await runEngine((engine) => stack.previewDestroy(engine), progress.listen));
}

/** Throws unless the state is empty afterwards: only then may the stack's data be deleted too. */
async function destroy(stack: Stack, stoppedIp: string | undefined, transcript: Transcript): Promise<void> {
  try {
    using progress = new Progress(transcript);
    await runEngine((engine) => stack.destroy(engine), progress.listen);
    const left = await listResources(stack);
    if (left.length > 0)
      throw new Error(`${left.length} resources are still in the state of ${stack.name}: run down again`);
  } catch (error) {
    if (stoppedIp !== undefined) transcript.line(renderStopped(stoppedIp, "npm run down"));
    throw error;
  }
}

type Approved = { plan: Plan; discarded: readonly PlanStep[]; options: DownOptions };

async function takeDown(stack: Stack, { plan, discarded, options }: Approved, transcript: Transcript): Promise<void> {
  const { bucket } = await stack.outputs();
  const server = findServer(plan);
  const wantsSync = server !== undefined && !options.withoutFinalSync;
  const stoppedIp = wantsSync ? await stopMachine(stack, { plan, server }, transcript) : undefined;
  await destroy(stack, stoppedIp, transcript);
  if (options.deleteData) return;
  // Only now, with everything in the bucket and no machine that holds it.
  if (discarded.length > 0) await discardVolumes(stack, discarded, transcript);
  const card = findCard(plan);
  if (card === undefined) return;
  transcript.heading(card.trimEnd());
  transcript.line(`\nThis card lies in s3://${bucket?.value}/recovery-card.txt. Back with the data: npm run up`);
}
