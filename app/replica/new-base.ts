import { rmSync } from "node:fs";

import { fsyncPath } from "../durable-file.ts";
import type { Bucket } from "./bucket.ts";
import { putEpochNote, sendClaim, takeOverEpoch } from "./claim.ts";
import { fetchHead, openingHead, parentOf, runOf, type Head } from "./head.ts";
import { killLitestream } from "./litestream.ts";
import { holdLitestreamLock } from "./lock.ts";
import type { Machine } from "./machine.ts";

export type OwnEpoch = { epoch: string; nonce: string; run: string };

/** Kills Litestream and takes its lock on the directory. */
export type TakeOverLitestream = (machine: Machine) => Promise<AsyncDisposable>;

/** A Litestream that its supervisor restarts in between holds the lock again: kill, wait briefly, try again. */
const lockWaitSeconds = 2;

/**
 * Moves a serving machine to a new epoch of its own, because the bucket no longer holds what it acknowledged. The
 * database on the volume is the newest content that exists, and becomes the base. The steps are those of a boot claim
 * in the same order: after a crash at any step the next boot takes row 10 with the volume's database or, once the mark
 * is written, resumes. docs/decisions/0019.
 */
export class NewBase {
  readonly #bucket: Bucket;
  readonly #machine: Machine;
  readonly #takeOver: TakeOverLitestream;
  readonly #nonces = new Set<string>();
  /** A claim whose answer was lost may still arrive, so the next try sends the same one. */
  #pending: Head | null = null;

  constructor(bucket: Bucket, machine: Machine, takeOver: TakeOverLitestream = takeOverLitestream) {
    this.#bucket = bucket;
    this.#machine = machine;
    this.#takeOver = takeOver;
  }

  /**
   * Whether a head with that nonce belongs to this machine: its epoch may be in the middle of a claim, or just left.
   */
  knows(nonce: string): boolean {
    return this.#nonces.has(nonce);
  }

  /**
   * Claims head for a new epoch and prepares directory, mark and litestream.yml for it. The supervisor then starts
   * Litestream again. Throws what another try may cure. A fenced machine finds out at its next read of head.
   */
  async make(current: OwnEpoch): Promise<OwnEpoch> {
    const head = await this.#claim(current);
    const { files } = this.#machine;
    await using _litestream = await this.#takeOver(this.#machine);
    // Litestream would upload files staged for the old epoch under the new prefix. Before the mark, because a resume
    // keeps them.
    rmSync(files.litestreamState, { recursive: true, force: true });
    fsyncPath(files.dataDirectory);
    const { epoch, parent } = head;
    await putEpochNote(this.#bucket, { epoch, parent, content: "volume", restoredTxid: null, commitSequence: null });
    takeOverEpoch(this.#machine, head);
    this.#pending = null;
    return { epoch, nonce: head.nonce, run: runOf(head) };
  }

  async #claim(current: OwnEpoch): Promise<Head> {
    const { head: seen, etag } = await fetchHead(this.#bucket);
    if (seen.nonce === this.#pending?.nonce) return seen;
    if (seen.nonce !== current.nonce || runOf(seen) !== current.run)
      throw new Error(`head is not ours any more: machine ${seen.machine} holds it`);
    const next = (this.#pending ??= describeNext(seen, this.#machine.machineId));
    this.#nonces.add(current.nonce).add(next.nonce);
    if ((await sendClaim(this.#bucket, next, etag)) !== null) return next;
    const { head } = await fetchHead(this.#bucket);
    if (head.nonce === next.nonce) return head;
    throw new Error(`the claim of ${next.epoch} has not reached the store: head is ${head.epoch}`);
  }
}

/** `replaces` names the current nonce, so that boot takes the volume's database without reading the broken parent. */
function describeNext(seen: Head, machine: string): Head {
  const living = seen.state === "living";
  return openingHead({
    seen,
    machine,
    parent: living ? parentOf(seen) : seen.parent,
    replaces: living ? [seen.nonce] : [...seen.replaces, seen.nonce],
  });
}

async function takeOverLitestream({ files }: Machine): Promise<AsyncDisposable> {
  await killLitestream(files.litestreamSocket, files.litestreamLock);
  return await holdLitestreamLock(files.litestreamLock, lockWaitSeconds);
}
