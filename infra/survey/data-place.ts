import { readDataConfig } from "../config/config.ts";
import { locateStore, type Store, storeEnvironment } from "./locate-store.ts";

/** What marks everything of a stack at Hetzner. */
export type StackLabels = { lifeboat: string; bucket: string };

/** Where the data of a stack lies. */
export type DataPlace = {
  /** How our scripts are told where the bucket is. */
  storeEnvironment: Readonly<Record<string, string>>;
  /** The labels of the volumes. */
  labels: Readonly<StackLabels>;
  /** The stack makes the bucket or keeps it. */
  isBucketOurs: boolean;
};

/** The labels of a stack that works with a bucket. */
export function labelsOf({ name }: { name: string }, { bucket }: Pick<Store, "bucket">): StackLabels {
  return { lifeboat: name, bucket };
}

/**
 * A program that makes nothing: it says where the data lies that an `up` of this stack would come back to. It needs neither an offer nor a release, nor
 * any setting but those of the store, so it is what a deletion asks. Throws pulumi.RunError when they do not tell.
 */
export async function locateData(): Promise<DataPlace> {
  const config = readDataConfig();
  const store = await locateStore(config);
  return {
    storeEnvironment: storeEnvironment(store),
    labels: labelsOf(config, store),
    isBucketOurs: store.managed,
  };
}
