import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { adviseOnStore } from "../../app/replica/diagnose-store.ts";
import type { CloudStore } from "./open-client.ts";

/**
 * Whether it is the call that the store does not want; a key, a wait or a wrong place is mended in another way. To be asked of a store that has
 * answered other calls, or of one that is known to be a store.
 */
export function refusesCall({ kind, status }: BucketError): boolean {
  // A checksum that is wanted for such a call is no Object Lock.
  return kind === "unsupported" || kind === "object-locked" || (kind === "not-a-store" && status !== undefined);
}

/** What a store does that no machine could live with, in a whole sentence with the call and what to do; any other error as it is. */
export function explainRefusal({ bucket }: CloudStore, error: unknown): unknown {
  const fault = findFault(error);
  if (fault === null || !refusals.has(fault.kind)) return error;
  return new Error(
    `bucket ${bucket} cannot be used, and no machine was bought. Its store refuses ${fault.message}; ${String(adviseOnStore(fault))}`,
    { cause: error },
  );
}

const refusals: ReadonlySet<string> = new Set(["unsupported", "never-matches", "object-locked"]);

function findFault(error: unknown): BucketError | null {
  if (error instanceof BucketError) return error;
  return error instanceof Error && error.cause !== undefined ? findFault(error.cause) : null;
}

type Setting = {
  call: string;
  /** What the bucket is without it. */
  without: string;
  /** How a bucket that is made by hand may be instead. */
  instead: string;
};

/** Changes a setting of a bucket that the stack makes. Throws a whole sentence when the store does not want the call, and BucketError else. */
export async function setUpBucket(
  { bucket }: CloudStore,
  { call, without, instead }: Setting,
  change: () => Promise<unknown>,
): Promise<void> {
  try {
    await change();
  } catch (error) {
    const fault = toBucketError(error, `${call} (bucket ${bucket})`);
    if (!(fault instanceof BucketError) || !refusesCall(fault)) throw fault;
    throw new Error(
      `bucket ${bucket} ${without}: the store refuses ${call}. ` +
        `Make the bucket yourself, ${instead}, and leave createBucket away. ${fault.message}`,
      { cause: error },
    );
  }
}
