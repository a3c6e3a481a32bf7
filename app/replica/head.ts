import { randomBytes, randomUUID } from "node:crypto";

import { Type, type Static } from "typebox";

import { BucketError } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { parseJson } from "./parse-json.ts";

export const headKey = "head.json";

const ParentSchema = Type.Object({
  epoch: Type.String(),
  nonce: Type.String(),
  run: Type.Optional(Type.String()),
  txid: Type.Optional(Type.String()),
});

const HeadSchema = Type.Object({
  epoch: Type.String({ pattern: "^[0-9]{4,}-[0-9a-f]{8}$" }),
  state: Type.Union([Type.Literal("opening"), Type.Literal("living")]),
  nonce: Type.String({ minLength: 16 }),
  run: Type.Optional(Type.String({ minLength: 16 })),
  machine: Type.String({ minLength: 1 }),
  openedAt: Type.String(),
  parent: Type.Union([ParentSchema, Type.Null()]),
  replaces: Type.Array(Type.String()),
});

/**
 * The object that names the current epoch. `replaces` lists the nonces of openings that never got a base and that this
 * one replaced. `run` identifies the latest resume of the epoch. It is absent after the claim, and each resume writes a
 * new one.
 */
export type Head = Static<typeof HeadSchema>;
/**
 * Where an epoch's content comes from: the newest state of an epoch, or exactly that of `txid`, when somebody asked for
 * an earlier state. Then the nonce is empty: no disk holds that state.
 */
export type Parent = Static<typeof ParentSchema>;
export type StoredHead = { head: Head; etag: string };

/** The run of a head or a parent: before the first resume, the claim's nonce. */
export function runOf({ run, nonce }: { run?: string | undefined; nonce: string }): string {
  return run ?? nonce;
}

/** Makes the parent entry for the next epoch from the current one. */
export function parentOf(head: Head): Parent {
  return { epoch: head.epoch, nonce: head.nonce, run: runOf(head) };
}

/**
 * Reads head.json. Throws BucketError: `missing` when the store answers 404 (absence itself is proven by LIST),
 * `not-a-store` when it is not one of our heads.
 */
export async function fetchHead(bucket: Bucket): Promise<StoredHead> {
  const stored = await bucket.get(headKey);
  return { head: parseJson(HeadSchema, stored.text, headKey), etag: stored.etag };
}

/**
 * Replaces head by compare-and-swap. `seenEtag` null means "there is none yet". Returns the new ETag, or null when
 * another head won. A lost answer looks like a lost race: the caller reads head again and compares the nonce. Throws
 * BucketError for anything else.
 */
export async function swapHead(bucket: Bucket, next: Head, seenEtag: string | null): Promise<string | null> {
  try {
    return await bucket.put(
      headKey,
      JSON.stringify(next, null, 2),
      seenEtag === null ? { ifNoneMatch: "*" } : { ifMatch: seenEtag },
    );
  } catch (error) {
    if (error instanceof BucketError && error.kind === "precondition-failed") return null;
    throw error;
  }
}

/**
 * Makes the head that a claim tries to write: a new nonce and a new epoch name, numbered after the epoch that was read.
 */
export function openingHead(options: {
  seen: Head | null;
  machine: string;
  parent: Parent | null;
  replaces: readonly string[];
}): Head {
  const number = options.seen === null ? 1 : Number.parseInt(options.seen.epoch, 10) + 1;
  return {
    epoch: `${String(number).padStart(4, "0")}-${randomBytes(4).toString("hex")}`,
    state: "opening",
    nonce: randomUUID(),
    machine: options.machine,
    openedAt: new Date().toISOString(),
    parent: options.parent,
    replaces: [...options.replaces],
  };
}
