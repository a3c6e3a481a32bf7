import { writerLimits } from "../writer-limits.ts";
import type { Certificate, Ready, StatusFacts } from "./status-facts.ts";

/** What needs somebody, and the command or the page that cures it. */
export type Warning = { what: string; cure: string };

const replicatedLimitMs = 60_000;
const writeLimitMs = 5_000;
/** The app compares a restore once a day at least. */
const rehearsedLimitMs = 26 * 3_600_000;
const leastFreePart = 0.1;
/** Caddy renews when a third of the time is left. */
const leastLeftPart = 0.25;

/** What is wrong with a machine, the worst first. Pure. */
export function judgeStatus(facts: StatusFacts): Warning[] {
  return [
    ...judgeApp(facts),
    ...judgeReady(facts.ready),
    ...judgeBucket(facts),
    ...judgeDisk(facts),
    ...judgeCertificate(facts.certificate, Date.parse(facts.at)),
    ...judgeUnits(facts.failedUnits ?? []),
    ...judgeVerified(facts),
    ...judgeRehearsal(facts),
    ...judgeLoad(facts),
  ];
}

function judgeApp({ ready, silence, boot }: StatusFacts): Warning[] {
  if (ready !== null) return [];
  if (boot !== null && boot.cause !== null)
    return [{ what: `boot ${boot.outcome}: ${boot.cause}`, cure: boot.next ?? "lifeboat logs boot" }];
  return [{ what: `the app does not answer: ${silence ?? "unknown"}`, cure: "lifeboat logs app" }];
}

function judgeReady(ready: Ready | null): Warning[] {
  if (ready === null) return [];
  const { status, cause, state, fence, replicaFault, replicatedAgeMs, walBytes, queueLength, oldestWriteMs } = ready;
  const notReady = "docs/runbooks/not-ready.md; lifeboat logs app";
  const found: (Warning | null)[] = [
    status === "ready"
      ? null
      : { what: `not ready: ${status}${cause === undefined ? "" : `, ${cause}`}`, cure: notReady },
    replicaFault === null
      ? null
      : {
          what: `the replica cannot be restored: ${replicaFault}`,
          cure: "leave the machine and its disk alone, it makes a new base by itself; lifeboat logs app --follow",
        },
    state === "living" && (replicatedAgeMs ?? Number.POSITIVE_INFINITY) > replicatedLimitMs
      ? {
          what: `nothing was proven to be in the bucket for ${renderAge(replicatedAgeMs)}`,
          cure: "lifeboat logs litestream",
        }
      : null,
    walBytes > writerLimits.walAlarmBytes
      ? {
          what: `the WAL has ${renderSize(walBytes)}; at 537 MB writes are refused${cause === undefined ? "" : `: ${cause}`}`,
          cure: "end the reader that holds it; lifeboat logs app",
        }
      : null,
    queueLength > writerLimits.queueLimit / 2
      ? {
          what: `${queueLength} writes wait; at ${writerLimits.queueLimit} they are refused`,
          cure: "lifeboat logs app",
        }
      : null,
    (oldestWriteMs ?? 0) > writeLimitMs
      ? { what: `a write has waited for ${renderAge(oldestWriteMs)}`, cure: "lifeboat logs app" }
      : null,
    fence === "advisory"
      ? {
          what: "the store ignores conditional writes, so two machines could serve at once",
          cure: "docs/decisions/0023-given-stores-are-probed.md",
        }
      : null,
  ];
  return found.filter((warning) => warning !== null);
}

function judgeBucket({ bucket, machine, ready }: StatusFacts): Warning[] {
  const { name, head, fault } = bucket;
  if (fault !== null) return [{ what: `bucket ${name} does not answer: ${fault}`, cure: "lifeboat logs app" }];
  if (head === null || ready === null || head.epoch === ready.epoch) return [];
  return [
    {
      what: `machine ${head.machine} has taken over with epoch ${head.epoch}; this one is ${machine}`,
      cure: "let this machine end; docs/runbooks/boot-refused.md",
    },
  ];
}

function judgeDisk({ disk, databaseBytes }: StatusFacts): Warning[] {
  if (disk === null)
    return [
      { what: "the data directory cannot be measured: the volume is not there", cure: "docs/runbooks/volume.md" },
    ];
  const { freeBytes, totalBytes } = disk;
  const cure = "pulumi config set volumeSizeGb 20, then npm run up; docs/runbooks/volume.md";
  if (freeBytes < totalBytes * leastFreePart)
    return [{ what: `the disk has ${renderSize(freeBytes)} of ${renderSize(totalBytes)} free`, cure }];
  if (freeBytes < databaseBytes)
    return [
      {
        what: `a restore beside the database needs ${renderSize(databaseBytes)}, and ${renderSize(freeBytes)} are free`,
        cure,
      },
    ];
  return [];
}

function judgeCertificate(certificate: Certificate | null, nowMs: number): Warning[] {
  if (certificate === null) return [];
  const cure = "lifeboat logs caddy";
  const { name } = certificate;
  if ("fault" in certificate) return [{ what: `https://${name} shows no certificate: ${certificate.fault}`, cure }];
  const [from, until] = [Date.parse(certificate.from), Date.parse(certificate.until)];
  const leftMs = until - nowMs;
  if (leftMs <= 0) return [{ what: `the certificate of ${name} ended ${renderAge(-leftMs)} ago`, cure }];
  if (leftMs > (until - from) * leastLeftPart) return [];
  return [{ what: `the certificate of ${name} ends in ${renderAge(leftMs)} and was not renewed`, cure }];
}

function judgeUnits(failed: readonly string[]): Warning[] {
  return failed.map((unit) => ({
    what: `${unit} has failed`,
    cure: `journalctl -u ${unit.replace(/\.service$/, "")}`,
  }));
}

function judgeVerified({ bucket: { verified, fault } }: StatusFacts): Warning[] {
  if (fault !== null || verified === null) return [];
  const { outcome, cause } = verified;
  if (outcome === "fail")
    return [
      {
        what: `the last verification failed: ${cause ?? "see its report"}`,
        cure: "leave the machine and its disk alone; docs/runbooks/not-ready.md",
      },
    ];
  return [];
}

/** Only of an app that has run for long enough. */
function judgeRehearsal({ ready, rehearsal, boot, at }: StatusFacts): Warning[] {
  if (ready?.state !== "living" || rehearsal === null || boot === null) return [];
  const since = Math.max(Date.parse(boot.startedAt), Date.parse(rehearsal.at ?? boot.startedAt));
  const ageMs = Date.parse(at) - since;
  return ageMs > rehearsedLimitMs
    ? [{ what: `no restore was compared with the database for ${renderAge(ageMs)}`, cure: "lifeboat verify" }]
    : [];
}

/** The reasons to leave one machine with SQLite. One that is only near needs nobody today. */
function judgeLoad({ load }: StatusFacts): Warning[] {
  const reached = (load?.triggers ?? []).filter(({ state }) => state === "reached");
  return reached.map(({ trigger, why, next }) => ({ what: `${trigger}: ${why}`, cure: next ?? "docs/guide/cloud.md" }));
}

/** A time for people: its greatest unit alone. */
export function renderAge(ms: number | null): string {
  if (ms === null) return "an unknown time";
  const seconds = ms / 1000;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** A size for people, in decimal units as --size takes them. */
export function renderSize(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
