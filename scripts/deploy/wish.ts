import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";

import { type DeployReport, deployReportKey, DeployReportSchema } from "../../app/deploys/deploy-report.ts";
import { type WantedRelease, wantedReleaseKey, WantedReleaseSchema } from "../../app/deploys/wanted-release.ts";
import { Refused } from "../cli/run-verb.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putJson } from "../store/store-object.ts";
import { fetchKnownJson } from "./fetch-known-json.ts";

/** A deploy of which nothing was heard for so long may be replaced by another one. */
export const silenceLimitMs = 600_000;

export type StandingWish = { wish: WantedRelease; etag: string; report: DeployReport | undefined };

/** Somebody else's deploy is under way. */
export class DeployUnderWay extends Refused {}

/** The wish that stands in the bucket, with its report. Undefined before the first. */
export async function fetchStandingWish(store: CloudStore): Promise<StandingWish | undefined> {
  const standing = await fetchKnownJson(store, wantedReleaseKey, WantedReleaseSchema);
  if (standing === undefined) return undefined;
  const { value: wish, etag } = standing;
  return { wish, etag, report: await fetchReport(store, wish.deploy) };
}

/** The report of a deploy. Undefined while no machine has begun it. */
export async function fetchReport(store: CloudStore, deploy: string): Promise<DeployReport | undefined> {
  return (await fetchKnownJson(store, deployReportKey(deploy), DeployReportSchema))?.value;
}

/** Whether a deploy has ended, one way or another. */
export function isOver(report: DeployReport | undefined): boolean {
  return report !== undefined && report.outcome !== "working";
}

export type Claim = Pick<WantedRelease, "sha256" | "way" | "by">;

/**
 * Writes a wish, if no other deploy is under way. One for the same release that the machine has not ended yet is
 * joined: whoever was interrupted waits on. Throws DeployUnderWay, which says whose and since when.
 */
export async function claimDeploy(store: CloudStore, claim: Claim): Promise<WantedRelease & { isJoined: boolean }> {
  const standing = await fetchStandingWish(store);
  if (standing !== undefined && !isOver(standing.report)) {
    const { wish } = standing;
    if (wish.sha256 === claim.sha256 && wish.way === "bucket" && claim.way === "bucket")
      return { ...wish, isJoined: true };
    const silentMs = Date.now() - lastSignOf(standing);
    if (silentMs < silenceLimitMs) throw new DeployUnderWay(describe(standing, silenceLimitMs - silentMs));
  }
  const at = new Date().toISOString();
  const deploy = `${at.replaceAll(/[-:]|\.\d+/g, "")}-${randomBytes(4).toString("hex")}`;
  const wish: WantedRelease = { format: 1, deploy, at, ...claim };
  if (await putJson(store, wantedReleaseKey, { value: wish, etag: standing?.etag }))
    return { ...wish, isJoined: false };
  throw new DeployUnderWay(
    "somebody else has begun a deploy just now, and nothing was changed. To see whose: npm run releases",
  );
}

/** Who deploys, for whoever is told to wait. */
export function describeCaller(environment: NodeJS.ProcessEnv): string {
  const { GITHUB_ACTOR: actor, GITHUB_RUN_ID: run } = environment;
  const name = actor === undefined ? `${userInfo().username}@${hostname()}` : `${actor}, GitHub run ${run ?? "?"}`;
  return name.replaceAll(/[^\w@., -]/g, "_").slice(0, 100);
}

function lastSignOf({ wish, report }: StandingWish): number {
  return Math.max(...[wish.at, report?.seenAt ?? ""].map((time) => Date.parse(time) || 0));
}

function describe({ wish, report }: StandingWish, leftMs: number): string {
  const doing = report === undefined ? "no machine has begun it yet" : `machine ${report.machine} works on it`;
  return (
    `${wish.by} deploys ${wish.sha256.slice(0, 12)} since ${wish.at}: ${doing}. Nothing was changed. ` +
    `Try again when that has ended, or when nothing is heard of it for ${Math.ceil(leftMs / 60_000)} more minutes; to see how it stands: npm run releases`
  );
}
