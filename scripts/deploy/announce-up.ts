import { type DeployReport, deployReportKey, sayEveryMs } from "../../app/deploys/deploy-report.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putObject } from "../store/store-object.ts";
import { claimPatiently, describeUp, draftReport } from "./wish.ts";

type Upgrade = { sha256: string; server: string; tell: (words: string) => void };

const keptWords = 2_000;

/**
 * Does what brings a release by SSH, as a deploy among the others: it waits until theirs has ended, they see that it is
 * under way, and its wish replaces older ones, which no machine carries out any more. Its report is written here.
 */
export async function announceUp<Result>(
  store: CloudStore,
  { sha256, server, tell }: Upgrade,
  bring: () => Promise<Result>,
): Promise<Result> {
  const wish = await claimPatiently(store, { way: "ssh", sha256, by: describeUp(process.env) }, tell);
  const report = draftReport(wish, server);
  await putReport(store, report);
  const saying = setInterval(
    () => void putReport(store, { ...report, seenAt: now() }).catch((error: unknown) => tell(String(error))),
    sayEveryMs,
  );
  try {
    const result = await bring();
    await putReport(store, { ...report, ...end("serving") });
    return result;
  } catch (error) {
    // The failure of the bring-up is what must be told.
    const cause = String(error).slice(0, keptWords);
    const next = "run up again with the same configuration";
    await putReport(store, { ...report, ...end("failed"), cause, next }).catch((other: unknown) => tell(String(other)));
    throw error;
  } finally {
    clearInterval(saying);
  }
}

function end(outcome: "serving" | "failed") {
  const endedAt = now();
  return { outcome, endedAt, seenAt: endedAt } as const;
}

function now(): string {
  return new Date().toISOString();
}

async function putReport(store: CloudStore, report: DeployReport): Promise<void> {
  const body = `${JSON.stringify(report, null, 2)}\n`;
  await putObject(store, deployReportKey(report.deploy), { body, contentType: "application/json" });
}
