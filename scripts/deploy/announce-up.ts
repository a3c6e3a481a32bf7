import { setTimeout as sleep } from "node:timers/promises";

import { type DeployReport, deployReportKey, draftReport, sayEveryMs } from "../../app/deploys/deploy-report.ts";
import { waitForStore } from "../../app/replica/wait-for-store.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putObject } from "../store/store-object.ts";
import { claimPatiently, describeUp } from "./wish.ts";

type Upgrade = { sha256: string; server: string; tell: (words: string) => void; everyMs?: number };

const keptWords = 2_000;
const endLimitMs = 10_000;

/**
 * Does what brings a release by SSH, as a deploy among the others: it waits until theirs has ended, they see that it is
 * under way, and its wish replaces older ones, which no machine carries out any more. Its report is written here; one
 * that cannot be written is told, and changes nothing about how the machine fares. Returns the id of its wish.
 */
export async function announceUp(
  store: CloudStore,
  { sha256, server, tell, everyMs = sayEveryMs }: Upgrade,
  bring: () => Promise<void>,
): Promise<string> {
  const wish = await claimPatiently(store, { way: "ssh", sha256, by: describeUp(process.env) }, tell);
  const report = draftReport(wish, server, null);
  const say = () =>
    putReport(store, { ...report, seenAt: now() }).catch((error: unknown) => tell(describeUnsaid(error)));
  await say();
  const ended = new AbortController();
  const saying = repeat(say, everyMs, ended.signal);
  const sayEnd = async (end: Partial<DeployReport>) => {
    // A word that is still on its way would take the place of the end.
    ended.abort();
    await saying;
    const endedAt = now();
    const last = { ...report, ...end, endedAt, seenAt: endedAt };
    await waitForStore(() => putReport(store, last), endLimitMs).catch((error: unknown) => tell(describeUnsaid(error)));
  };
  try {
    await bring();
    await sayEnd({ outcome: "serving" });
    return wish.deploy;
  } catch (error) {
    const cause = String(error).slice(0, keptWords);
    await sayEnd({ outcome: "failed", cause, next: "run up again with the same configuration" });
    throw error;
  }
}

async function repeat(act: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(everyMs, null, { signal }).catch(() => null);
    if (signal.aborted) return;
    await act();
  }
}

/** The others go by the last report. */
function describeUnsaid(error: unknown): string {
  return `(the report of this up cannot be written: ${String(error)}. Deploys wait for it meanwhile, ten minutes at most; to see how it stands: npm run releases)`;
}

function now(): string {
  return new Date().toISOString();
}

async function putReport(store: CloudStore, report: DeployReport): Promise<void> {
  const body = `${JSON.stringify(report, null, 2)}\n`;
  await putObject(store, deployReportKey(report.deploy), { body, contentType: "application/json" });
}
