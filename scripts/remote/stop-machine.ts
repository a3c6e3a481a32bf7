import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { Refused } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import { deployFirst, describeEnd } from "../deploy/bring-release.ts";
import { waitForReport } from "../deploy/wait-for-report.ts";
import { claimPatiently, describeUp, withdrawWish } from "../deploy/wish.ts";
import type { Plan, PlanStep } from "../engine/plan.ts";
import { fetchHostKeys } from "../ssh/host-keys.ts";
import { runOverSsh, type SshTarget } from "../ssh/ssh.ts";
import { openStoreOf } from "../store/open-store.ts";
import { isSshOpen } from "./find-machine.ts";

const script = join(import.meta.dirname, "stop-services.sh");
const waysOut =
  "Nothing was changed. Look at the machine, and run this again; or give up what is not in the bucket yet: --without-final-sync";

/** How long nothing may be heard of a machine that shall stop. It asks for wishes every few seconds. */
const silenceLimitMs = 120_000;

type StackPart = Pick<Stack, "exportStack" | "getConfig">;
type Doomed = { plan: Plan; server: PlanStep; silenceMs?: number };

/**
 * Stops Lifeboat on the server of a plan and makes sure that its final sync is in the bucket: by SSH, or by the bucket
 * where no port is open for SSH. Returns its address. Throws Refused when that is not certain.
 */
export async function stopMachine(stack: StackPart, doomed: Doomed, transcript: Transcript): Promise<string> {
  const ip = String(doomed.server.state["ipv4Address"]);
  const stop = (await isSshOpen(stack))
    ? await prepareStopBySsh(stack, doomed, ip)
    : () => stopByBucket(stack, doomed, transcript);
  await transcript.step("stop the services, final sync", stop, () => "everything is in the bucket");
  return ip;
}

async function stopByBucket(stack: StackPart, doomed: Doomed, transcript: Transcript): Promise<void> {
  const { plan, server, silenceMs = silenceLimitMs } = doomed;
  using store = await openStoreOf(stack, plan);
  const machine = server.id ?? "";
  if (store === undefined) throw new Refused(`there is no bucket to ask server ${machine} by. ${waysOut}`);
  let news = "";
  transcript.showProgress(() => news);
  const onNews = (words: string) => void (news = words);
  const wish = await claimPatiently(store, { way: "stop", machine, by: describeUp(process.env) }, onNews);
  const answer = await waitForReport(store, { deploy: wish.deploy, silenceMs, onNews });
  if (answer.kind === "reported" && answer.report.outcome === "stopped") return;
  if (answer.kind !== "silence")
    throw new Refused(`the final sync did not end well: ${describeEnd(answer)}\n${waysOut}`);
  if (await withdrawWish(store, wish))
    throw new Refused(
      `nothing was heard of server ${machine} for ${silenceMs / 1000} s, and no port is open for SSH: is it down, or is its release older than this way by the bucket? ` +
        `Nothing was changed. ${deployFirst}. Then run this again; or give up what is not in the bucket yet: --without-final-sync`,
    );
  throw new Refused(
    `server ${machine} has begun to stop its services and has fallen silent. Run this again; or give up what is not in the bucket yet: --without-final-sync`,
  );
}

/** Says that the services are stopped although the server still exists, and how to go on or to serve again. */
export function renderStopped(ip: string, goOn: string): string {
  return `the services of the machine at ${ip} were stopped. To go on: ${goOn}; to serve again, if it still stands: ssh root@${ip} systemctl start lifeboat.target; without SSH: restart the server at Hetzner`;
}

/** Found before the step begins: a machine that nobody recognises is not touched. */
async function prepareStopBySsh(stack: StackPart, { plan, server }: Doomed, ip: string): Promise<() => Promise<void>> {
  const target = await findTarget(stack, { plan, server }, ip);
  return () => stopServices(target);
}

/** Finds the server's host keys in the bucket. Without them somebody else could report a final sync. */
async function findTarget(stack: StackPart, { plan, server: { id } }: Doomed, ip: string): Promise<SshTarget> {
  const server = id ?? "";
  using store = await openStoreOf(stack, plan);
  const hostKeys = store === undefined ? undefined : await fetchHostKeys(store, server);
  if (hostKeys !== undefined && hostKeys.length > 0) return { ip, server, hostKeys };
  throw new Refused(
    `server ${server} has not told the bucket its SSH host keys, so whoever answers may be somebody else. ${waysOut}`,
  );
}

async function stopServices(target: SshTarget): Promise<void> {
  try {
    await runOverSsh(target, { script: readFileSync(script, "utf8"), stdin: "" });
  } catch (error) {
    throw new Refused(`the final sync did not end well. ${waysOut}`, { cause: error });
  }
}
