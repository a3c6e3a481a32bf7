import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";

import { DeleteObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { bundleApp } from "../../scripts/build/bundle-app.ts";
import { rehearse } from "../../scripts/drill.ts";
import { readArguments } from "../../scripts/drill/arguments.ts";
import { bootMachine } from "../../scripts/drill/boot-scene.ts";
import { writeToBucket } from "../../scripts/drill/bucket-scene.ts";
import { compareWithLedger } from "../../scripts/drill/compare-scene.ts";
import { kill } from "../../scripts/drill/disaster.ts";
import { Leftovers } from "../../scripts/drill/leftovers.ts";
import { writeMixedLoad } from "../../scripts/drill/load-scene.ts";
import { type Machine } from "../../scripts/drill/machine.ts";
import { reportFindings } from "../../scripts/drill/report.ts";
import { type Stage, openStage } from "../../scripts/drill/stage.ts";
import { Transcript } from "../../scripts/verb/transcript.ts";

const timeout = 300_000;
const root = join(import.meta.dirname, "../..");

async function openQuietStage(): Promise<Stage & AsyncDisposable> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const transcript = new Transcript({ output, colour: false });
  return openStage({ options: readArguments(["--seed", "7"], {}), transcript, leftovers: new Leftovers() });
}

/** Kills a machine under load and compares what the next one holds, after a fault has been put in. */
async function compareAfter(fault: {
  inBucket?: (stage: Stage) => Promise<void>;
  inDatabase?: (machine: Machine) => void;
}) {
  await using stage = await openQuietStage();
  await using a = await bootMachine(stage, "a");
  const load = await writeMixedLoad(stage, a);
  const death = await kill(stage, a, load);
  await fault.inBucket?.(stage);
  await using b = await bootMachine(stage, "b");
  await writeToBucket(stage, b, "first");
  fault.inDatabase?.(b.machine);
  return (await compareWithLedger(stage, b, death)).comparison;
}

function change(sql: string): (machine: Machine) => void {
  return ({ databasePath }) => {
    const db = openDatabase(databasePath, "writer");
    db.pragma("foreign_keys = OFF");
    expect(db.prepare(sql).run().changes).toBe(1);
    db.close();
  };
}

test("an untouched rehearsal is clean", { timeout }, async () => {
  const clean = { lost: { bucket: 0 }, differing: 0, duplicated: 0, unexpected: 0 };
  expect(await compareAfter({})).toMatchObject(clean);
});

test("the newest uploaded files deleted from the bucket: bucket writes are lost", { timeout }, async () => {
  expect((await compareAfter({ inBucket: deleteNewestFiles })).lost.bucket).toBeGreaterThan(0);
});

test.each([
  ["one letter of a line altered", "UPDATE invoice_lines SET description = description || '.' WHERE rowid = 1"],
  ["one cent added to a total", "UPDATE invoices SET total_cents = total_cents + 1 WHERE rowid = 1"],
  ["two lines of an invoice merged", "DELETE FROM invoice_lines WHERE rowid = 1"],
])("%s: a row differs", { timeout }, async (_, sql) => {
  expect((await compareAfter({ inDatabase: change(sql) })).differing).toBe(1);
});

test("a row that nobody wrote is found", { timeout }, async () => {
  const sql = "INSERT INTO customers (id, name, email, created_at) VALUES ('x', 'Eve', 'eve@example.test', '2026')";
  expect((await compareAfter({ inDatabase: change(sql) })).unexpected).toBe(1);
});

test.each([
  {
    mistake: "acknowledges before the sync",
    file: "http/answer-write.ts",
    right: 'refusal === null && wanted === "bucket"\n',
    wrong: 'refusal !== null && wanted === "bucket"\n',
  },
])("a drill of an app that $mistake is red", { timeout }, async ({ file, right, wrong }) => {
  await using stage = await openQuietStage();
  using app = copyApp(file, right, wrong);
  const findings = await rehearse({ ...stage, site: { ...stage.site, app: await bundleApp(app.sources, app.bundle) } });
  const report = reportFindings(findings, { options: stage.options, versions: {}, durationMs: 0 });
  expect(report.ok).toBe(false);
  expect(report.mixed.lost.bucket + report.fence.acknowledgedAfterClaim).toBeGreaterThan(0);
});

/** The app with one mistake in it. */
function copyApp(file: string, right: string, wrong: string) {
  const home = mkdtempSync(join(tmpdir(), "lifeboat-app-"));
  const directory = join(home, "app");
  mkdirSync(directory);
  cpSync(join(root, "app"), directory, { recursive: true });
  cpSync(join(root, "package.json"), join(home, "package.json"));
  symlinkSync(join(root, "node_modules"), join(home, "node_modules"));
  const text = readFileSync(join(directory, file), "utf8");
  expect(text.split(right)).toHaveLength(2);
  writeFileSync(join(directory, file), text.replace(right, wrong));
  return {
    sources: directory,
    bundle: join(home, "bundle"),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}

async function deleteNewestFiles({ site: { bucket } }: Stage): Promise<void> {
  const { endpoint = "", region, accessKeyId, secretAccessKey, bucket: Bucket } = bucket;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "epochs/" }));
  const files = Contents.flatMap(({ Key }) => (Key !== undefined && /\/0000\/.*\.ltx$/.test(Key) ? [Key] : []));
  for (const Key of files.toSorted().slice(-10)) await client.send(new DeleteObjectCommand({ Bucket, Key }));
}
