/** What the server needs to know of the replica and to ask of it; app/replica implements it. */
export type Replication = {
  readonly state: "starting" | "opening" | "living" | "fenced";
  readonly epoch: string;
  /** Since the last sync that was checked; null = none yet. */
  readonly replicatedAgeMs: number | null;
  /** While opening. */
  readonly uploadProgress: string | null;
  /** Whether the store can fence: with `advisory`, two machines could both acknowledge. Null while starting. */
  readonly fence: "enforced" | "advisory" | null;
  /** Why the replica could not be restored, until a new base is up; null while nothing speaks against it. */
  readonly replicaFault: string | null;
  /** Why a `bucket` write could not be acknowledged soon or at all; null when it can. */
  readonly bucketRefusal: string | null;
  /** Resolves when all that was committed before this call is in the bucket. Rejects with a NotReplicated error. */
  replicate(timeoutMs: number): Promise<void>;
};
