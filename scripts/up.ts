import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { confirm } from "../app/cli/ask.ts";
import { Refused } from "../app/cli/command-line.ts";
import type { Transcript } from "../app/cli/transcript.ts";
import { platformOf } from "../cloud-init/built-release.ts";
import { estimateMonthlyCost, renderMonthlyCost } from "../infra/cost/monthly-cost.ts";
import { runVerb } from "./cli/run-verb.ts";
import { findDoomedServer, findRefusals } from "./engine/find-refusals.ts";
import { renderKeptAddresses } from "./engine/kept-addresses.ts";
import { openStack, settingsFileOf } from "./engine/open-stack.ts";
import type { Plan } from "./engine/plan.ts";
import { readProjectName, readSettings } from "./engine/read-settings.ts";
import { refuseProtected } from "./engine/refuse-protected.ts";
import { renderPlan } from "./engine/render-plan.ts";
import { stopMachine } from "./remote/stop-machine.ts";
import { type Adoption, openAdoption } from "./up/adoption.ts";
import { upCommand, type UpOptions } from "./up/arguments.ts";
import { ensureRelease } from "./up/ensure-release.ts";
import { findFirstPlace, refuseUnseenType, renderFreeing } from "./up/first-place.ts";
import { findOldMachine, retireMachine, recogniseGoneServer } from "./up/old-machine.ts";
import { previewRefreshed, type RefreshedPlan } from "./up/preview-refreshed.ts";
import { raiseStack } from "./up/raise-stack.ts";
import { refuseUnreachable } from "./up/refuse-unreachable.ts";
import { ProposedSettings } from "./up/settings.ts";
import { warnOfSmallVolume } from "./up/volume-room.ts";

await runVerb(upCommand, process.argv.slice(2), up);

/** Plan, price, question; then the engine, /ready, URL. */
async function up(options: UpOptions, transcript: Transcript): Promise<void> {
  if (options.adopt === undefined) {
    await raise(await openStack(options.stack), { options, adoption: null, transcript });
    return;
  }
  await using adoption = await openAdoption(options.adopt, options.stack);
  transcript.line(
    `bucket ${options.adopt.bucket} belongs to ${adoption.recovery.owner}, id ${adoption.recovery.bucketId}`,
  );
  await raise(adoption.stack, { options, adoption, transcript });
}

type Circumstances = { options: UpOptions; adoption: Adoption | null; transcript: Transcript };

async function raise(stack: Stack, { options, adoption, transcript }: Circumstances): Promise<void> {
  const isFree = adoption === null && options.location === undefined;
  const place = isFree ? await findFirstPlace(stack, settingsFileOf(stack.name)) : undefined;
  if (place !== undefined) transcript.line(place.words);
  const serverType = place?.serverType ?? (await readSettings(stack)).get("serverType") ?? "";
  await ensureRelease({ platform: platformOf(serverType), build: options.build }, transcript);
  const chosen = place === undefined ? {} : { serverType: place.serverType, location: place.location };
  const changes = { ...options, ...chosen, project: await readProjectName(stack) };
  await using settings = await ProposedSettings.propose(settingsFileOf(stack.name), changes);
  const { plan, refresh } = await planUp(stack, settings.file, transcript);
  const old = adoption === null ? null : await findOldMachine(stack, plan, transcript);
  refuse(plan, options);
  await refuseUnreachable(stack, plan);
  await refuseProtected(stack, plan);
  refuseUnseenType(place, options);
  const doomed = options.withoutFinalSync ? undefined : findDoomedServer(plan);
  if (doomed !== undefined)
    transcript.line(
      "before the server goes its services are stopped; without a checked final sync nothing is changed\n",
    );
  if (options.dryRun) {
    transcript.line("dry run: nothing was changed");
    return;
  }
  await confirm(`Do this to stack ${stack.name}?`, options);
  const stoppedIp = doomed === undefined ? undefined : await stopMachine(stack, { plan, server: doomed }, transcript);
  await settings.accept();
  adoption?.keep();
  if (old !== null) await retireMachine(old, transcript);
  const raised = raiseStack(stack, { plan, refresh, stoppedIp }, transcript);
  const { url, state } = await raised.catch((error: unknown) => {
    if (place !== undefined) transcript.line(renderFreeing(place));
    throw error;
  });
  if (adoption !== null) transcript.line(`the API's new token, and the only one it accepts: ${adoption.apiToken}`);
  transcript.line(`ready, the replica is ${state}`);
  transcript.line(url);
}

async function planUp(stack: Stack, configFile: string | undefined, transcript: Transcript): Promise<RefreshedPlan> {
  const file = configFile === undefined ? {} : { configFile };
  const { plan: announced, refresh } = await previewRefreshed(stack, file, transcript);
  const plan = await recogniseGoneServer(stack, announced);
  transcript.heading(`Plan for stack ${stack.name}`);
  transcript.line(renderPlan(plan));
  const cost = renderCost(plan, await readSettings(stack));
  transcript.heading(`Each month, if every second brings a write\n${cost}`);
  const warning = await warnOfSmallVolume(stack, plan);
  if (warning !== null) transcript.line(`\n${warning}`);
  const kept = renderKeptAddresses(plan);
  if (kept !== null) transcript.line(`\n${kept}`);
  transcript.line("");
  return { plan, refresh };
}

/** The program's outputs contain only the sums. */
function renderCost({ outputs }: Plan, settings: ReadonlyMap<string, string>): string {
  const setting = (name: string) => Number(settings.get(name));
  const cost = estimateMonthlyCost({
    // The type that was chosen, which may be a fallback.
    serverType: String(outputs["serverType"]),
    volumeSizeGb: setting("volumeSizeGb"),
    store: settings.get("store") === "aws" ? "aws" : "given",
    replicationIntervalMs: setting("replicationIntervalMs"),
    syncsPerMonth: setting("syncsPerMonth"),
    retentionHours: setting("retentionHours"),
  });
  return renderMonthlyCost(cost);
}

function refuse(plan: Plan, { rebuild, location, approveReplacement }: UpOptions): void {
  const mayReplaceServer = rebuild || location !== undefined || approveReplacement;
  const refusals = findRefusals(plan, { mayReplaceServer });
  if (refusals.length > 0) throw new Refused(`the plan is refused; nothing was changed\n  ${refusals.join("\n  ")}`);
}
