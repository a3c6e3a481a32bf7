import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { confirmName } from "../../app/cli/ask.ts";
import { Refused } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import { sentinelKey } from "../../app/replica/bucket.ts";
import { type DataPlace, locateData } from "../../infra/survey/data-place.ts";
import type { Plan } from "../engine/plan.ts";
import { PlanProgress } from "../engine/progress.ts";
import { readOwner } from "../engine/read-settings.ts";
import { runEngine } from "../engine/run-engine.ts";
import type { HetznerProject, LeftAddress, LeftVolume } from "../hetzner/hetzner-project.ts";
import { findLabels, openHetzner } from "../hetzner/open-hetzner.ts";
import { bucketExists, deleteBucket, emptyBucket, isEmpty } from "../store/empty-bucket.ts";
import type { CloudStore } from "../store/open-client.ts";
import { openStoreAt } from "../store/open-store.ts";
import { fetchOwnedSentinel } from "../store/sentinel.ts";

/** Everything that a stack leaves behind, found before anything is deleted. */
export type LeftData = Disposable &
  Pick<DataPlace, "labels" | "isBucketOurs"> & { store: CloudStore; hetzner: HetznerProject };

/**
 * Finds the data of a stack, by the plan of its destruction or, when that no longer tells, by its settings. Throws
 * Refused when the bucket belongs to somebody else. Null when the bucket, which is deleted last, is gone already.
 */
export async function findData(stack: Stack, down: Plan, transcript: Transcript): Promise<LeftData | null> {
  const place = readDataPlace(down) ?? (await askForDataPlace(stack, transcript));
  const store = await openStoreAt(stack, place.storeEnvironment);
  using opened = new DisposableStack();
  opened.use(store);
  if (!(await bucketExists(store))) return null;
  await demandOwner(store, await readOwner(stack));
  const hetzner = await openHetzner(stack);
  const kept = opened.move();
  return { ...place, store, hetzner, [Symbol.dispose]: () => kept.dispose() };
}

/**
 * Says what will be lost for good and asks for the bucket's name; `--yes` does not answer this. Throws Refused on
 * another name.
 */
export async function confirmDeletion(
  data: LeftData,
  given: string | undefined,
  transcript: Transcript,
): Promise<void> {
  const { bucket } = data.store;
  const [volumes, addresses] = [
    await data.hetzner.listVolumes(data.labels),
    await data.hetzner.listAddresses(data.labels),
  ];
  transcript.line(
    `FOR GOOD: every object and version in bucket ${bucket}${data.isBucketOurs ? ", and the bucket" : ""}`,
  );
  for (const volume of volumes) transcript.line(`FOR GOOD: ${describeVolume(volume)}`);
  for (const address of addresses) transcript.line(`FOR GOOD: ${describeAddress(address)}`);
  if (given === undefined) {
    await confirmName("Type the bucket's name to delete all of it: ", {
      name: bucket,
      flag: `--bucket-name ${bucket}`,
    });
  } else if (given !== bucket) {
    throw new Refused(`--bucket-name says ${given}, but the bucket is ${bucket}; nothing was changed`);
  }
}

/** Deletes the addresses, the volumes and the bucket's content, and the bucket if the stack made it. */
export async function deleteData(data: LeftData, transcript: Transcript): Promise<void> {
  const { store, hetzner, labels } = data;
  // First: one that somebody has protected ends this before anything of the data is gone.
  for (const address of await hetzner.listAddresses(labels))
    await transcript.step(
      describeAddress(address),
      () => hetzner.deleteAddress(address),
      () => "given back",
    );
  for (const volume of await hetzner.listVolumes(labels)) {
    const remove = async () => {
      await hetzner.unprotectVolume(volume);
      await hetzner.deleteVolume(volume);
    };
    await transcript.step(describeVolume(volume), remove, () => "deleted");
  }
  await transcript.step(
    `objects of ${store.bucket}`,
    () => emptyBucket(store, (count) => transcript.showProgress(() => `${count} versions deleted`)),
    (count) => `${count} versions deleted`,
  );
  if (!data.isBucketOurs) {
    transcript.line(`bucket ${store.bucket} is kept, empty: the stack did not make it`);
    return;
  }
  await transcript.step(
    `bucket ${store.bucket}`,
    () => deleteBucket(store),
    () => "deleted",
  );
}

/**
 * Undefined for a stack that is down, and for one that was half destroyed: its plan may contain nothing at Hetzner, or
 * no script.
 */
function readDataPlace(plan: Plan): DataPlace | undefined {
  const { storeEnvironment, steps } = plan;
  const labels = findLabels(plan);
  if (storeEnvironment === undefined || labels === undefined) return undefined;
  return { storeEnvironment, labels, isBucketOurs: steps.some(({ type }) => type === "aws:s3/bucket:Bucket") };
}

/**
 * Runs a program that only reads: that of an `up` would need a server type on offer and a release, which no deletion
 * needs.
 */
async function askForDataPlace(stack: Stack, transcript: Transcript): Promise<DataPlace> {
  const found: { place?: DataPlace; fault?: unknown } = {};
  const program = async () => {
    try {
      found.place = await locateData();
    } catch (error) {
      found.fault = error;
      throw error;
    }
  };
  using progress = new PlanProgress(transcript, "the stack is down: its settings say where the data lies");
  try {
    await runEngine((engine) => stack.preview({ ...engine, program }), progress.listen);
  } catch (error) {
    // The engine would add a stack to it.
    throw found.fault ?? error;
  }
  if (found.place === undefined) throw new Error("the engine did not ask where the data lies");
  return found.place;
}

function describeVolume({ name, id, size, location }: LeftVolume): string {
  return `volume ${name} (${id}, ${size} GB, ${location.name})`;
}

function describeAddress({ ip, id, location }: LeftAddress): string {
  return `address ${ip} (${id}, ${location.name})`;
}

/**
 * Throws Refused unless the bucket's sentinel names the owner (project/stack). An empty bucket without one passes: a
 * deletion that was cut off leaves it, because the sentinel is deleted last.
 */
async function demandOwner(store: CloudStore, owner: string): Promise<void> {
  const sentinel = await fetchOwnedSentinel(store);
  if (sentinel?.owner === owner) return;
  if (sentinel === undefined && (await isEmpty(store))) return;
  throw new Refused(
    `${describeOwner(store, sentinel)}, and this is ${owner}: its data is not deleted here. Nothing was changed; name the stack that it belongs to: --stack NAME`,
  );
}

function describeOwner({ bucket }: CloudStore, sentinel: { owner?: string } | undefined): string {
  if (sentinel === undefined)
    return `bucket ${bucket} has no ${sentinelKey} and is not empty, so nobody knows whose it is`;
  return `bucket ${bucket} belongs to ${sentinel.owner ?? "nobody who is named"}`;
}
