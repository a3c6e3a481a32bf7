import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { bucketExists, deleteBucket, emptyBucket } from "../cloud/empty-bucket.ts";
import type { HetznerProject, Labels, LeftVolume } from "../cloud/hetzner-project.ts";
import type { CloudStore } from "../cloud/open-client.ts";
import { openHetzner, readLabels } from "../stack/open-hetzner.ts";
import { openStoreOf } from "../stack/open-store.ts";
import { type Plan, readPlan } from "../stack/plan.ts";
import { readOwner } from "../stack/read-settings.ts";
import { runEngine } from "../stack/run-engine.ts";
import { confirmName } from "../verb/ask.ts";
import { Refused } from "../verb/run-verb.ts";
import type { Transcript } from "../verb/transcript.ts";
import { demandOwner } from "./demand-owner.ts";

/** All that a stack leaves behind, found before anything of it is deleted. */
export type LeftData = Disposable & {
  store: CloudStore;
  hetzner: HetznerProject;
  labels: Labels;
  /** The stack's program made the bucket or keeps it, so the bucket goes too. */
  isBucketOurs: boolean;
};

/**
 * Finds the data of a stack. A stack that is down already has no plan of destruction; then the plan of an `up` tells where its data lies. Throws
 * Refused when the bucket belongs to somebody else. Null when there is no bucket any more, which goes last.
 */
export async function findData(stack: Stack, down: Plan): Promise<LeftData | null> {
  const plan = down.storeEnvironment === undefined ? readPlan(await runEngine((o) => stack.preview(o))) : down;
  const store = await openStoreOf(stack, plan);
  if (store === undefined) throw new Refused("it is not known where the data lies: the program names no bucket");
  using opened = new DisposableStack();
  opened.use(store);
  if (!(await bucketExists(store))) return null;
  await demandOwner(store, await readOwner(stack));
  const hetzner = await openHetzner(stack);
  const labels = readLabels(plan);
  const isBucketOurs = plan.steps.some(({ type }) => type === "aws:s3/bucket:Bucket");
  const kept = opened.move();
  return { store, hetzner, labels, isBucketOurs, [Symbol.dispose]: () => kept.dispose() };
}

/** Says what will be lost for good and asks for the bucket's name, which `--yes` is no answer to. Throws Refused when it is another one. */
export async function confirmDeletion(
  data: LeftData,
  given: string | undefined,
  transcript: Transcript,
): Promise<void> {
  const { bucket } = data.store;
  const volumes = await data.hetzner.listVolumes(data.labels);
  transcript.line(
    `FOR GOOD: every object and version in bucket ${bucket}${data.isBucketOurs ? ", and the bucket" : ""}`,
  );
  for (const volume of volumes) transcript.line(`FOR GOOD: ${describe(volume)}`);
  if (given === undefined) {
    await confirmName("Type the bucket's name to delete all of it: ", {
      name: bucket,
      flag: `--bucket-name ${bucket}`,
    });
  } else if (given !== bucket) {
    throw new Refused(`--bucket-name says ${given}, but the bucket is ${bucket}; nothing was changed`);
  }
}

/** Deletes the volumes and the bucket's content, and the bucket if the stack made it. */
export async function deleteData(data: LeftData, transcript: Transcript): Promise<void> {
  const { store, hetzner, labels } = data;
  for (const volume of await hetzner.listVolumes(labels)) {
    const remove = async () => {
      await hetzner.unprotectVolume(volume);
      await hetzner.deleteVolume(volume);
    };
    await transcript.step(describe(volume), remove, () => "deleted");
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

function describe({ name, id, size, location }: LeftVolume): string {
  return `volume ${name} (${id}, ${size} GB, ${location.name})`;
}
