import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { Refused } from "../../app/cli/command-line.ts";
import {
  type DeployReport,
  deployReportKey,
  DeployReportSchema,
  draftReport,
  isOver,
  isWaiting,
  silenceLimitMs,
} from "../../app/deploys/deploy-report.ts";
import {
  releaseOf,
  type WantedRelease,
  wantedReleaseKey,
  WantedReleaseSchema,
} from "../../app/deploys/wanted-release.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putJson } from "../store/store-object.ts";
import { fetchKnownJson } from "./fetch-known-json.ts";

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

type Without<Wish, Key extends PropertyKey> = Wish extends unknown ? Omit<Wish, Key> : never;

/** A wish that is not written yet. */
export type Claim = Without<WantedRelease, "format" | "deploy" | "at">;

/** A wish that was written. */
export type Claimed = WantedRelease & {
  /** It was there already. */
  isJoined: boolean;
  /** The one that it replaced. Undefined for a joined one. */
  before: WantedRelease | undefined;
};

/**
 * Writes a wish, if no other deploy is under way. One for the same release that the machine has not ended yet is
 * joined: whoever was interrupted waits on. Throws DeployUnderWay, which says whose and since when.
 */
export async function claimDeploy(store: CloudStore, claim: Claim): Promise<Claimed> {
  const standing = await fetchStandingWish(store);
  if (standing !== undefined && !isOver(standing.report)) {
    const { wish } = standing;
    if (wish.way === "bucket" && claim.way === "bucket" && wish.sha256 === claim.sha256)
      return { ...wish, isJoined: true, before: undefined };
    const silentMs = readStoreClock(store) - lastSignOf(standing);
    if (silentMs < silenceLimitMs) throw new DeployUnderWay(describe(standing, silenceLimitMs - silentMs));
  }
  const at = new Date(readStoreClock(store)).toISOString();
  const deploy = `${at.replaceAll(/[-:]|\.\d+/g, "")}-${randomBytes(4).toString("hex")}`;
  const wish: WantedRelease = { format: 1, deploy, at, ...claim };
  if (await putJson(store, wantedReleaseKey, { value: wish, etag: standing?.etag }))
    return { ...wish, isJoined: false, before: standing?.wish };
  throw new DeployUnderWay(
    "somebody else has begun a deploy just now, and nothing was changed. To see whose: npm run releases",
  );
}

/** The same, and waits until other deploys have ended. Tells what it waits for, and whose wish it replaces. */
export async function claimPatiently(store: CloudStore, claim: Claim, tell: (words: string) => void): Promise<Claimed> {
  for (let told = ""; ;) {
    try {
      const wish = await claimDeploy(store, claim);
      if (wish.before !== undefined && releaseOf(wish.before) !== releaseOf(wish))
        tell(`it takes the place of what ${wish.before.by} wished for at ${wish.before.at}: ${nameWish(wish.before)}`);
      return wish;
    } catch (error) {
      if (!(error instanceof DeployUnderWay)) throw error;
      if (error.message !== told) tell(`waiting: ${error.message}`);
      told = error.message;
    }
    await sleep(askPatientlyMs);
  }
}

/**
 * Takes a wish back that no machine has begun, by a final report that is only written while none says that it has. The
 * machine begins by such a report, too, so one of them wins. Returns false when the machine did.
 */
export async function withdrawWish(store: CloudStore, wish: WantedRelease): Promise<boolean> {
  const key = deployReportKey(wish.deploy);
  const standing = await fetchKnownJson(store, key, DeployReportSchema);
  if (!isWaiting(standing?.value)) return false;
  const report = draftReport(wish, "none", null);
  const cause = "it was taken back: no machine had begun it";
  const value = { ...report, outcome: "refused", cause, endedAt: report.seenAt } as const;
  return putJson(store, key, { value, etag: standing?.etag });
}

/** A wish in a few words. */
export function nameWish(wish: WantedRelease): string {
  return releaseOf(wish)?.slice(0, 12) ?? "a stop of the services";
}

const askPatientlyMs = 5_000;

/** Who deploys, for whoever is told to wait. */
export function describeCaller(environment: NodeJS.ProcessEnv): string {
  const { GITHUB_ACTOR: actor, GITHUB_RUN_ID: run } = environment;
  const name = actor === undefined ? `${userInfo().username}@${hostname()}` : `${actor}, GitHub run ${run ?? "?"}`;
  return name.replaceAll(/[^\w@., -]/g, "_").slice(0, 100);
}

/** The same for `pulumi up` and the verbs around it. */
export function describeUp(environment: NodeJS.ProcessEnv): string {
  return `pulumi up of ${describeCaller(environment)}`.slice(0, 100);
}

/** The time now. A clock that is minutes off is corrected by the SDK's last answer from the store. */
function readStoreClock({ client }: CloudStore): number {
  return Date.now() + client.config.systemClockOffset;
}

function lastSignOf({ wish, report }: StandingWish): number {
  return Math.max(...[wish.at, report?.seenAt ?? ""].map((time) => Date.parse(time) || 0));
}

function describe({ wish, report }: StandingWish, leftMs: number): string {
  const doing = report === undefined ? "no machine has begun it yet" : `machine ${report.machine} works on it`;
  return (
    `${wish.by} deploys ${nameWish(wish)} since ${wish.at}: ${doing}. Nothing was changed. ` +
    `Try again when that has ended, or when nothing is heard of it for ${Math.ceil(leftMs / 60_000)} more minutes; to see how it stands: npm run releases`
  );
}
