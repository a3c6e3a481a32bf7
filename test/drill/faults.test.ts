import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DeleteObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { bundleApp } from "../../scripts/build/bundle-app.ts";
import { rehearse } from "../../scripts/drill.ts";
import type { Machine } from "../../scripts/drill/machine.ts";
import { type Report, reportFindings } from "../../scripts/drill/report.ts";
import type { Stage } from "../../scripts/drill/stage.ts";
import { change, compareAfter, openQuietStage } from "./compare-after.ts";

const timeout = 300_000;
const root = join(import.meta.dirname, "../..");

test("an untouched rehearsal is clean", { timeout }, async () => {
  const clean = { lost: { bucket: 0 }, differing: 0, duplicated: 0, unexpected: 0 };
  expect(await compareAfter({})).toMatchObject(clean);
});

test("the newest uploaded files deleted from the bucket: bucket writes are lost", { timeout }, async () => {
  expect((await compareAfter({ inBucket: deleteNewestFiles })).lost.bucket).toBeGreaterThan(0);
});

test("a row with one additional letter is found", { timeout }, async () => {
  const { differing, unexpected } = await compareAfter({ inDatabase: addLetter });
  expect(differing + unexpected).toBe(1);
});

test.each([
  {
    mistake: "acknowledges before the sync",
    seen: ({ mixed, fence }: Report) => mixed.lost.bucket + fence.acknowledgedAfterClaim,
    file: "http/answer-write.ts",
    right: 'refusal === null && wanted === "bucket"\n',
    wrong: 'refusal !== null && wanted === "bucket"\n',
  },
  {
    mistake: "performs side effects before the sync",
    seen: ({ deliveries }: Report) => deliveries?.ofLost ?? 0,
    file: "background/lane.ts",
    right: "const proof = await ownership.prove();\n",
    // Old enough that no pause follows: what is performed late is in the bucket by then.
    wrong: "const proof = { monotonicMs: performance.now() - 1_000, wallMs: Date.now() };\n",
  },
  {
    mistake: "forgets side effects that it never performed",
    seen: ({ deliveries }: Report) => deliveries?.missing ?? 0,
    file: "background/lane.ts",
    right: "      if (!ownership.isFresh(proof)) break;\n",
    wrong: "      if (effect.id.endsWith('0')) { await this.#forget(effect.id); continue; }\n",
  },
])("a drill of an app that $mistake is red", { timeout }, async ({ seen, file, right, wrong }) => {
  await using stage = await openQuietStage();
  using app = copyApp(file, right, wrong);
  const findings = await rehearse({ ...stage, site: { ...stage.site, app: await bundleApp(app.sources, app.bundle) } });
  const report = reportFindings(findings, { options: stage.options, versions: {}, durationMs: 0 });
  expect(report.ok).toBe(false);
  expect(seen(report)).toBeGreaterThan(0);
});

/** Adds a letter to a text of one row, in whatever table the product has. */
function addLetter(machine: Machine): void {
  const db = openDatabase(machine.databasePath, "reader");
  const [found] = db
    .prepare<[], { name: string; text: string }>(
      `SELECT tables.name AS name, columns.name AS text FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' AND tables.name NOT LIKE '\\_%' ESCAPE '\\' AND lower(columns.type) = 'text' AND NOT columns.pk
       ORDER BY tables.rowid, columns.cid`,
    )
    .all();
  db.close();
  if (found === undefined) throw new Error("the product has no table with a text in it");
  const { name, text } = found;
  change(`UPDATE "${name}" SET "${text}" = "${text}" || 'x' WHERE rowid = (SELECT min(rowid) FROM "${name}")`)(machine);
}

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
