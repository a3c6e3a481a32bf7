import { readFileSync } from "node:fs";
import { createServer } from "node:tls";

import { expect, test } from "vitest";

import { readConfig } from "../../app/config.ts";
import { computeFigures } from "../../app/load/figures.ts";
import { judgeTriggers } from "../../app/load/triggers.ts";
import { gatherFacts, type StatusFacts } from "../../app/verbs/status-facts.ts";
import { countComplaints, findLast } from "../../app/verbs/status-journal.ts";
import { judgeStatus } from "../../app/verbs/status-warnings.ts";
import { renderFacts } from "../../app/verbs/status.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { addCertificate, certificateFiles } from "../edge/stored-certificate.ts";
import { describeMachine } from "./machine-environment.ts";

const at = "2026-11-27T18:00:00.000Z";
const epoch = "0003-0a1b2c3d";
const ready = {
  status: "ready",
  state: "living",
  epoch,
  fence: "enforced",
  replicaFault: null,
  replicatedAgeMs: 4_000,
  walBytes: 1_000_000,
  queueLength: 0,
  oldestWriteMs: null,
};
const head = {
  epoch,
  state: "living" as const,
  nonce: "a-nonce-of-sixteen",
  machine: "4711",
  openedAt: "2026-11-20T18:00:00.000Z",
  parent: null,
  replaces: [],
};
const boot = {
  outcome: "claimed",
  startedAt: "2026-11-20T18:00:00.000Z",
  content: "restored",
  cause: null,
  next: null,
};
const verified = { outcome: "pass", startedAt: "2026-11-27T03:00:00.000Z" };
const triggers = judgeTriggers(computeFigures([]), null, { before: [], at: new Date(at) });
const [, calm] = triggers;
if (calm === undefined) throw new Error("there is no trigger of writes");
const writesReached = {
  ...calm,
  state: "reached" as const,
  why: "the one writer has no time left",
  next: "docs/guide/cloud.md",
};
const well: StatusFacts = {
  at,
  machine: "4711",
  release: "a".repeat(64),
  ready,
  silence: null,
  boot,
  load: { window: { ...computeFigures([]), seconds: 900, writesPerSecond: { mean: 12.34, most: 80 } }, triggers },
  databaseBytes: 300_000_000,
  walBytes: 4_000_000,
  disk: { freeBytes: 8_000_000_000, totalBytes: 10_000_000_000 },
  bucket: { name: "a-bucket", head, verified, fault: null },
  certificate: { name: "app.example.com", from: "2026-10-01T00:00:00.000Z", until: "2026-12-30T00:00:00.000Z" },
  failedUnits: [],
  complaints: [],
  rehearsal: { at: "2026-11-27T08:00:00.000Z" },
};

test("a machine that is well needs nobody", () => {
  expect(judgeStatus(well)).toEqual([]);
  expect(renderFacts(well)).toBe(`MACHINE      4711
RELEASE      aaaaaaaaaaaa
APP          ready
BOOT         claimed 7 days ago, restored
EPOCH        0003-0a1b2c3d, living
BUCKET       a-bucket, head 0003-0a1b2c3d living since 7 days ago
REPLICATED   4.0 s ago
COMPARED     a restore with the live database, 10 h ago
VERIFIED     pass, 15 h ago
DATABASE     300 MB, WAL file 4 MB
DISK         8.0 GB of 10.0 GB free
QUEUE        0 writes, the oldest 0.0 s
WRITES       12.3 a second in the last 15 min, at most 80.0
TO LEAVE     no reason: servers, writes, reports are calm
CERTIFICATE  app.example.com, ends in 32 days`);
});

const none = { ready: null, silence: "connect ECONNREFUSED" };
const cases: [claim: string, changed: Partial<StatusFacts>, what: RegExp, cure: RegExp][] = [
  ["an app that is silent", none, /does not answer: connect ECONNREFUSED/, /^lifeboat logs app$/],
  [
    "a boot that refused",
    { ...none, boot: { ...boot, outcome: "refused", cause: "the sentinel is missing", next: "npm run up" } },
    /^boot refused: the sentinel is missing$/,
    /^npm run up$/,
  ],
  [
    "an app that refuses",
    { ready: { ...ready, status: "refusing-writes", cause: "a reader" } },
    /refusing-writes, a reader/,
    /not-ready/,
  ],
  [
    "a broken replica",
    { ready: { ...ready, replicaFault: "a gap" } },
    /cannot be restored: a gap/,
    /leave the machine/,
  ],
  [
    "a Litestream that is silent",
    { ready: { ...ready, replicatedAgeMs: 61_000 } },
    /in the bucket for 61.0 s/,
    /litestream/,
  ],
  ["no checked sync at all", { ready: { ...ready, replicatedAgeMs: null } }, /for an unknown time/, /litestream/],
  [
    "a big WAL",
    { ready: { ...ready, walBytes: 200_000_000, cause: "held by sqlite3" } },
    /WAL has 200 MB.*held by sqlite3/,
    /end the reader/,
  ],
  [
    "a trigger that is reached",
    {
      load: {
        window: computeFigures([]),
        triggers: [writesReached],
      },
    },
    /^writes: the one writer has no time left$/,
    /cloud.md/,
  ],
  ["a long queue", { ready: { ...ready, queueLength: 1_500 } }, /1500 writes wait; at 2000/, /logs app/],
  ["a write that hangs", { ready: { ...ready, oldestWriteMs: 6_000 } }, /waited for 6.0 s/, /logs app/],
  ["an advisory fence", { ready: { ...ready, fence: "advisory" } }, /ignores conditional writes/, /0023/],
  [
    "a store that is away",
    { bucket: { name: "b", head: null, verified: null, fault: "timeout" } },
    /bucket b does not answer: timeout/,
    /logs/,
  ],
  [
    "a take-over",
    { bucket: { ...well.bucket, head: { ...head, epoch: "0004-0a1b2c3d", machine: "4712" } } },
    /4712 has taken over/,
    /end/,
  ],
  [
    "a full disk",
    { disk: { freeBytes: 900_000_000, totalBytes: 10_000_000_000 } },
    /900 MB of 10.0 GB free/,
    /volumeSizeGb/,
  ],
  ["no room for a restore", { databaseBytes: 9_000_000_000 }, /needs 9.0 GB, and 8.0 GB/, /volumeSizeGb/],
  ["no volume", { disk: null }, /volume is not there/, /volume.md/],
  [
    "a certificate that is not renewed",
    { certificate: { name: "n", from: "2026-09-15T00:00:00.000Z", until: "2026-12-14T00:00:00.000Z" } },
    /ends in 16 days/,
    /caddy/,
  ],
  [
    "a certificate that is over",
    { certificate: { name: "n", from: "2026-08-01T00:00:00.000Z", until: "2026-11-27T15:00:00.000Z" } },
    /ended 3 h ago/,
    /caddy/,
  ],
  ["no certificate", { certificate: { name: "n", fault: "refused" } }, /shows no certificate: refused/, /caddy/],
  [
    "a failed unit",
    { failedUnits: ["litestream.service"] },
    /litestream.service has failed/,
    /^journalctl -u litestream$/,
  ],
  [
    "a failed verification",
    { bucket: { ...well.bucket, verified: { ...verified, outcome: "fail", cause: "a row differs" } } },
    /failed: a row differs/,
    /leave the machine/,
  ],
  [
    "a machine that has stopped to compare",
    { rehearsal: { at: "2026-11-26T12:00:00.000Z" } },
    /for 30 h/,
    /^lifeboat verify$/,
  ],
  ["one that never has", { rehearsal: { at: null } }, /for 7 days/, /^lifeboat verify$/],
];

test.each(cases)("%s is a warning that names its cure", (_claim, changed, what, cure) => {
  const [warning, ...others] = judgeStatus({ ...well, ...changed });
  expect(others).toEqual([]);
  expect(warning?.what).toMatch(what);
  expect(warning?.cure).toMatch(cure);
});

test("a machine that has just booted need not have compared", () => {
  const young = { ...boot, startedAt: "2026-11-27T00:00:00.000Z" };
  expect(judgeStatus({ ...well, boot: young, rehearsal: { at: null } })).toEqual([]);
  expect(judgeStatus({ ...well, rehearsal: null })).toEqual([]);
});

test("an epoch without a base yet is no silence", () => {
  expect(judgeStatus({ ...well, ready: { ...ready, state: "opening", replicatedAgeMs: null } })).toEqual([]);
});

test("warnings and errors are counted by their message, and what is no line of the log is left out", () => {
  const lastAt = "2025-11-25T09:59:00.000Z";
  expect(
    countComplaints([line(40, "slow"), line(30, "fine"), "no line", line(50, "broken"), line(40, "slow")]),
  ).toEqual([
    { message: "slow", count: 2, lastAt },
    { message: "broken", count: 1, lastAt },
  ]);
});

test("what does not answer is told and holds up nothing, and a certificate is read as a visitor gets it", async () => {
  using directory = makeTemporaryDirectory();
  await addCertificate(directory.path, "app.example.com");
  const files = certificateFiles(directory.path, "app.example.com");
  const server = createServer({ cert: readFileSync(files.certificate), key: readFileSync(files.key) });
  const [port = 0] = await findFreePorts(1);
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  const config = readConfig(describeMachine(directory.path).environment);
  const facts = await gatherFacts(config, { host: "127.0.0.1", name: "app.example.com", port });
  server.close();
  expect(facts).toMatchObject({ machine: "machine", ready: null, boot: null, databaseBytes: 0, release: null });
  expect([facts.silence, facts.bucket.fault].map((text) => text !== null && text !== "")).toEqual([true, true]);
  const { certificate } = facts;
  if (certificate === null || "fault" in certificate) throw new Error("no certificate");
  expect(Date.parse(certificate.until) - Date.parse(certificate.from)).toBe(24 * 3_600_000);
  const silent = await gatherFacts(config, { host: "127.0.0.1", name: "app.example.com", port });
  expect(silent.certificate).toMatchObject({ fault: expect.stringMatching(/ECONNREFUSED/) });
});

test("the last comparison is the last line that tells of one", () => {
  expect(findLast([line(30, "the replica was judged and is sound"), "cut off"])).toBe("2025-11-25T09:59:00.000Z");
  expect(findLast([])).toBeNull();
});

function line(level: number, msg: string): string {
  return JSON.stringify({ level, time: 1_764_064_740_000, msg });
}
