import { setTimeout as sleep } from "node:timers/promises";

import { type DeployReport, isOver } from "../../app/deploys/deploy-report.ts";
import { wantedReleaseKey, WantedReleaseSchema } from "../../app/deploys/wanted-release.ts";
import { BucketError } from "../../app/replica/bucket-error.ts";
import type { CloudStore } from "../store/open-client.ts";
import { fetchKnownJson } from "./fetch-known-json.ts";
import { fetchReport } from "./wish.ts";

type Waiting = { deploy: string; silenceMs: number; onNews: (words: string) => void };

/** What became of the wish: its report, another wish that took its place, or nothing within the limit. */
export type Answer =
  | { kind: "reported"; report: DeployReport }
  | { kind: "overtaken"; by: string }
  | { kind: "silence"; report: DeployReport | undefined; fault: string | null };

const askEveryMs = 1_000;

/**
 * Waits for the final report of a deploy, as long as the machine says now and then that it works on it. While the store
 * does not answer here nobody can be heard, so that time does not count as silence, up to the same limit.
 */
export async function waitForReport(store: CloudStore, { deploy, silenceMs, onNews }: Waiting): Promise<Answer> {
  let heardAt = performance.now();
  let answeredAt = heardAt;
  let report: DeployReport | undefined;
  let fault: string | null = null;
  onNews("no machine has begun it yet");
  while (performance.now() - (fault === null ? heardAt : answeredAt) < silenceMs) {
    try {
      const next = await fetchReport(store, deploy);
      if (isOver(next)) return { kind: "reported", report: next };
      const by = await findSuccessor(store, deploy);
      // It may have ended while we looked: then it was not overtaken.
      const last = by === null ? next : await fetchReport(store, deploy);
      if (isOver(last)) return { kind: "reported", report: last };
      if (by !== null) return { kind: "overtaken", by };
      if (fault !== null) heardAt += performance.now() - answeredAt;
      if (next?.seenAt !== report?.seenAt) heardAt = performance.now();
      if (next !== undefined) onNews(next.cause ?? `machine ${next.machine} works on it`);
      [report, fault, answeredAt] = [next, null, performance.now()];
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      fault = error.message;
      onNews(error.message);
    }
    await sleep(askEveryMs);
  }
  return { kind: "silence", report, fault };
}

/** Whose wish stands in the place of this one. Null while none does. */
async function findSuccessor(store: CloudStore, deploy: string): Promise<string | null> {
  const standing = await fetchKnownJson(store, wantedReleaseKey, WantedReleaseSchema);
  if (standing === undefined) return "somebody who deleted wanted-release.json";
  return standing.value.deploy === deploy ? null : standing.value.by;
}
