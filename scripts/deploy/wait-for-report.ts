import { setTimeout as sleep } from "node:timers/promises";

import type { DeployReport } from "../../app/deploys/deploy-report.ts";
import { BucketError } from "../../app/replica/bucket-error.ts";
import type { CloudStore } from "../store/open-client.ts";
import { fetchStandingWish, isOver } from "./wish.ts";

type Waiting = { deploy: string; silenceMs: number; onNews: (words: string) => void };

/** What became of the wish: its report, another wish that took its place, or nothing within the limit. */
export type Answer =
  | { kind: "reported"; report: DeployReport }
  | { kind: "overtaken"; by: string }
  | { kind: "silence"; report: DeployReport | undefined; fault: string | null };

const askEveryMs = 1_000;

/**
 * Waits for the final report of a deploy, as long as the machine says now and then that it works on it. A store that is
 * away for a while is waited for.
 */
export async function waitForReport(store: CloudStore, { deploy, silenceMs, onNews }: Waiting): Promise<Answer> {
  let heardAt = performance.now();
  let report: DeployReport | undefined;
  let fault: string | null = null;
  onNews("no machine has begun it yet");
  while (performance.now() - heardAt < silenceMs) {
    try {
      const standing = await fetchStandingWish(store);
      fault = null;
      if (standing === undefined) return { kind: "overtaken", by: "somebody who deleted wanted-release.json" };
      if (standing.wish.deploy !== deploy) return { kind: "overtaken", by: standing.wish.by };
      const next = standing.report;
      if (next?.seenAt !== report?.seenAt) heardAt = performance.now();
      if (next !== undefined && isOver(next)) return { kind: "reported", report: next };
      if (next !== undefined) onNews(next.cause ?? `machine ${next.machine} works on it`);
      report = next;
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      fault = error.message;
      onNews(error.message);
    }
    await sleep(askEveryMs);
  }
  return { kind: "silence", report, fault };
}
