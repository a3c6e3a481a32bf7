import { setTimeout as sleep } from "node:timers/promises";

import { PutObjectCommand } from "@aws-sdk/client-s3";

import { type DeployReport, deployReportKey, sayEveryMs } from "../../app/deploys/deploy-report.ts";
import type { WantedRelease } from "../../app/deploys/wanted-release.ts";
import { toBucketError } from "../../app/replica/bucket-error.ts";
import type { CloudStore } from "../store/open-client.ts";
import { claimDeploy, describeCaller, DeployUnderWay, fetchStandingWish } from "./wish.ts";

type Upgrade = { sha256: string; server: string; tell: (words: string) => void };

const askEveryMs = 5_000;
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
  const before = (await fetchStandingWish(store))?.wish;
  const wish = await claimPatiently(store, sha256, tell);
  if (before !== undefined && before.sha256 !== sha256)
    tell(
      `${sha256.slice(0, 12)} takes the place of ${before.sha256.slice(0, 12)}, which ${before.by} wished for at ${before.at}`,
    );
  const report = draft(wish, server);
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

async function claimPatiently(store: CloudStore, sha256: string, tell: Upgrade["tell"]): Promise<WantedRelease> {
  const by = `pulumi up of ${describeCaller(process.env)}`.slice(0, 100);
  for (let told = ""; ;) {
    try {
      return await claimDeploy(store, { sha256, by, way: "ssh" });
    } catch (error) {
      if (!(error instanceof DeployUnderWay)) throw error;
      if (error.message !== told) tell(`waiting: ${error.message}`);
      told = error.message;
    }
    await sleep(askEveryMs);
  }
}

function draft({ deploy, sha256 }: WantedRelease, machine: string): DeployReport {
  const startedAt = now();
  const open = { previous: null, cause: null, next: null, words: null, endedAt: null };
  return { format: 1, deploy, outcome: "working", sha256, machine, startedAt, seenAt: startedAt, ...open };
}

function end(outcome: "serving" | "failed") {
  const endedAt = now();
  return { outcome, endedAt, seenAt: endedAt } as const;
}

function now(): string {
  return new Date().toISOString();
}

async function putReport({ client, bucket: Bucket }: CloudStore, report: DeployReport): Promise<void> {
  const Key = deployReportKey(report.deploy);
  const Body = `${JSON.stringify(report, null, 2)}\n`;
  try {
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "application/json" }));
  } catch (error) {
    throw toBucketError(error, `PUT ${Key} (bucket ${Bucket})`);
  }
}
