import { paginateListObjectsV2 } from "@aws-sdk/client-s3";

import { renderTable } from "../../app/cli/render-table.ts";
import { isOver } from "../../app/deploys/deploy-report.ts";
import { releaseOf } from "../../app/deploys/wanted-release.ts";
import { toBucketError } from "../../app/replica/bucket-error.ts";
import type { CloudStore } from "../store/open-client.ts";
import type { DesiredRelease } from "./desired-release.ts";
import { nameWish, type StandingWish } from "./wish.ts";

export type StoredRelease = { sha256: string; storedAt: Date; bytes: number };

/** The releases in the bucket, the newest first. Throws BucketError. */
export async function listReleases({ client, bucket: Bucket }: CloudStore): Promise<StoredRelease[]> {
  const found: StoredRelease[] = [];
  try {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: "releases/" })) {
      for (const { Key = "", LastModified, Size = 0 } of Contents) {
        const sha256 = /^releases\/([0-9a-f]{64})\.tar\.gz$/.exec(Key)?.[1];
        if (sha256 !== undefined && LastModified !== undefined)
          found.push({ sha256, storedAt: LastModified, bytes: Size });
      }
    }
  } catch (error) {
    throw toBucketError(error, `ListObjectsV2 releases/ (LIST, bucket ${Bucket})`);
  }
  return found.toSorted((one, other) => other.storedAt.getTime() - one.storedAt.getTime());
}

type Standing = { desired: DesiredRelease | undefined; standing: StandingWish | undefined };

/** The releases as a table for people. */
export function renderReleases(releases: readonly StoredRelease[], { desired, standing }: Standing): string {
  const running = findRunning({ desired, standing });
  const roles = (sha256: string) =>
    [
      sha256 === running ? "runs" : null,
      standing !== undefined && !isOver(standing.report) && sha256 === releaseOf(standing.wish) ? "wanted" : null,
      sha256 === desired?.sha256 ? "new machines" : null,
      sha256 === desired?.previous ? "before" : null,
    ].filter((role) => role !== null);
  const rows = releases.map(({ sha256, storedAt, bytes }) => [
    sha256.slice(0, 12),
    storedAt.toISOString().slice(0, 19).replace("T", " "),
    `${(bytes / 1e6).toFixed(1)} MB`,
    roles(sha256).join(", "),
  ]);
  return renderTable([["RELEASE", "IN THE BUCKET SINCE", "SIZE", "WHAT IT IS"], ...rows]);
}

/** The release that the machine has last reported to serve; before any deploy, the one that `up` has left. */
function findRunning({ desired, standing }: Standing): string | undefined {
  const report = standing?.report;
  if (standing === undefined || report === undefined) return desired?.sha256;
  return (report.outcome === "serving" ? report.sha256 : report.previous) ?? desired?.sha256;
}

/** How the last deploy stands, and what to do about it. */
export function describeStanding({ desired, standing }: Standing): string {
  if (standing === undefined) return "nothing was deployed by the bucket yet: npm run deploy";
  const { wish, report } = standing;
  const head = `last deploy: ${nameWish(wish)} at ${wish.at}, by ${wish.by}`;
  if (report === undefined)
    return `${head}: no machine has begun it; it is carried out when one comes back. To wait for it: npm run deploy`;
  const told = `${head}: ${report.outcome}${report.cause === null ? "" : ` (${report.cause})`}`;
  if (report.outcome === "serving" && desired?.sha256 !== report.sha256)
    return `${told}. New machines still install ${desired?.sha256.slice(0, 12) ?? "none"}: npm run rollback -- ${nameWish(wish)} ends it`;
  return report.next === null ? told : `${told}; next: ${report.next}`;
}
