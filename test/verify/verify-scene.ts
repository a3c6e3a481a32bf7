import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";

import { Transcript } from "../../app/cli/transcript.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { type VerifyLimits, type VerifyPlace, verifyReplica } from "../../app/verify/verification.ts";
import type { VerifyReport } from "../../app/verify/verify-report.ts";
import type { Site } from "../replica/site.ts";
import type { Decide } from "../replica/store-proxy.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import type { World } from "../replica/world.ts";

const root = join(import.meta.dirname, "../..");

const limits: VerifyLimits = {
  points: 0,
  limitMs: 60_000,
  mostRequests: 20_000,
  mostBytes: null,
  directory: null,
  dryRun: false,
};

/** Whether a request is for a file of the replica. */
export const isFile = (path: string) => path.includes(".ltx");

/** Its first bytes, which say how big the copy gets, are read before. */
export const hangFiles: Decide = ({ path, headers }) =>
  isFile(path) && headers.range !== "bytes=0-99" ? "hang" : "pass";

/** A computer that is no machine, and knows the bucket and a key. */
export function laptop(world: World, site: Site, bucket: BucketConfig = site.config): VerifyPlace {
  const nowhere = join(world.directory, "nowhere");
  const files = machineFiles(nowhere, nowhere);
  return { bucket, bucketId: site.bucketId, litestreamPath: world.litestream, files, machineId: "", isMachine: false };
}

/** The machine itself. */
export function onMachine({ machine }: TestMachine): VerifyPlace {
  const { bucket, bucketId, litestreamPath, files, machineId } = machine;
  return { bucket, bucketId, litestreamPath, files, machineId, isMachine: true };
}

/** Verifies, in a directory where nothing may be left, and returns the report and what was printed. */
export async function verifyIn(
  world: World,
  place: VerifyPlace,
  changed: Partial<VerifyLimits> = {},
): Promise<VerifyReport & { printed: string }> {
  const directory = changed.directory ?? makeDirectory(world);
  let printed = "";
  const output = Object.assign(new PassThrough(), { isTTY: false });
  output.setEncoding("utf8").on("data", (chunk: string) => (printed += chunk));
  const transcript = new Transcript({ output, colour: false });
  const report = await verifyReplica(place, { ...limits, directory, ...changed }, transcript);
  const left = readdirSync(directory);
  if (left.length > 0) throw new Error(`the verification left ${left.join(", ")}`);
  return { ...report, printed };
}

let directories = 0;

export function makeDirectory(world: World): string {
  const directory = join(world.directory, `verify-${(directories += 1)}`);
  mkdirSync(directory);
  return directory;
}

/** The verb as CI types it. */
export function startVerb({ config, bucketId }: Pick<Site, "config" | "bucketId">, words: string[]) {
  const { bucket, region, endpoint = "", accessKeyId, secretAccessKey } = config;
  const child = spawn(process.execPath, [join(root, "scripts/verify.ts"), ...words], {
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      LIFEBOAT_BUCKET: bucket,
      LIFEBOAT_BUCKET_ID: bucketId,
      LIFEBOAT_REGION: region,
      LIFEBOAT_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { child, ended: ended.then(([stdout, stderr, [code]]) => ({ stdout, stderr, code: Number(code) })) };
}

/** A bucket with five files of level 0, each needed, and no snapshot that would mend a gap; what it holds can be copied and broken. */
export async function makeWhole(world: World): Promise<{ site: Site; epoch: string; files: string[] }> {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  const { epoch } = await machine.boot();
  if (epoch === null) throw new Error("the machine did not boot");
  const life = await machine.live();
  await life.writeReplicated(5);
  await life.crash();
  const snapshots = await site.keys(`epochs/${epoch}/0009/`);
  if (snapshots.length > 0) await site.remove(/\/0009\//);
  const files = (await site.keys(`epochs/${epoch}/0000/`)).toSorted();
  if (files.length < 5) throw new Error(`there are only ${files.length} files`);
  return { site, epoch, files };
}
