import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { adviseOnStore } from "../../app/replica/diagnose-store.ts";
import type { CloudStore } from "./open-client.ts";

/**
 * Whether the store refuses this kind of call. A wrong key, a temporary fault or a wrong address has another remedy.
 * Only meaningful for a store that has answered other calls, or is known to be a store.
 */
export function refusesCall({ kind, status }: BucketError): boolean {
  // Here a demand for a checksum does not mean Object Lock.
  return kind === "unsupported" || kind === "object-locked" || (kind === "not-a-store" && status !== undefined);
}

/**
 * Explains in a complete sentence, with the call and what to do, why a machine could not work with the store. Returns
 * any other error unchanged.
 */
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
  /** What the bucket lacks without it. */
  without: string;
  /** How a bucket that is made by hand may be instead. */
  instead: string;
};

/**
 * Changes a setting of a bucket that the stack makes. Throws a complete sentence when the store refuses the call, and
 * BucketError otherwise.
 */
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
