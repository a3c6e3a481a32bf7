import { readDataConfig } from "../config/config.ts";
import { locateStore, type Store, storeEnvironment } from "./locate-store.ts";

/** The labels of everything of a stack at Hetzner. */
export type StackLabels = { lifeboat: string; bucket: string };

/** Where the data of a stack lies. */
export type DataPlace = {
  /** Tells our scripts where the bucket is. */
  storeEnvironment: Readonly<Record<string, string>>;
  /** The labels of the volumes. */
  labels: Readonly<StackLabels>;
  /** Whether the stack makes and configures the bucket. */
  isBucketOurs: boolean;
};

/** The labels of a stack that works with a bucket. */
export function labelsOf({ name }: { name: string }, { bucket }: Pick<Store, "bucket">): StackLabels {
  return { lifeboat: name, bucket };
}

/**
 * A program that creates nothing: it reports where the data of this stack is, as an `up` would find it. It needs no
 * server type on offer, no release, and no settings but those of the store. A deletion uses it. Throws pulumi.RunError
 * when the settings do not tell.
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
