import { dirname } from "node:path";

import { Type } from "typebox";

import type { Log } from "../log.ts";
import { isKeyFault, mayPass } from "../replica/bucket-error.ts";
import type { Bucket } from "../replica/bucket.ts";
import { parseJson, ShapeError } from "../replica/parse-json.ts";
import { RareCauses } from "../replica/rare-causes.ts";
import { waitForStore } from "../replica/wait-for-store.ts";
import {
  findHalf,
  isKept,
  listDamaged,
  readStorage,
  replaceFolders,
  type StoredFile,
  writeStorage,
} from "./certificate-storage.ts";

export const copyKey = "tls/certificates.json";

const CopySchema = Type.Object({
  format: Type.Literal(1),
  at: Type.String(),
  files: Type.Array(Type.Object({ path: Type.String(), text: Type.String() })),
});

/**
 * A new key is known everywhere within seconds. One that is refused for longer is a wrong one. Much less than the five
 * minutes that bin/serve-edge waits for Caddy: otherwise a bring-up would fail just before Caddy serves without them.
 */
export const youngKeyMs = 120_000;

/** How long a store that is away is waited for while certificates are there that can be served. */
const mendLimitMs = 10_000;

type PutBackOptions = { bucket: Pick<Bucket, "get" | "list">; storage: string; log: Log; youngKeyLimitMs?: number };

/**
 * Puts the certificates of the machine before back from the bucket, if this one has none, and those in the place of
 * damaged ones. Waits for a store that is away: Let's Encrypt gives the same certificate five times a week. Only a
 * listing proves that there is no copy. With a copy that cannot be used the machine goes on without it, and says so.
 */
export async function putCertificatesBack(options: PutBackOptions): Promise<"kept" | "put back" | "none"> {
  const { storage, log } = options;
  const found = readStorage(storage);
  const damaged = listDamaged(found);
  const isWhole = ({ path }: StoredFile) => path.startsWith("certificates/") && !damaged.includes(dirname(path));
  const hasWhole = found.some(isWhole);
  if (hasWhole && damaged.length === 0) return "kept";
  const copy = await waitForCopy(options, hasWhole ? mendLimitMs : Number.POSITIVE_INFINITY);
  const files = hasWhole ? (copy ?? []).filter(({ path }) => damaged.includes(dirname(path))) : (copy ?? []);
  try {
    replaceFolders(storage, damaged, hasWhole ? files : []);
    if (!hasWhole && copy !== null) writeStorage(storage, copy);
  } catch (err) {
    log.error({ err, next: "look whether the system's disk is full: df -h" }, "certificates cannot be written");
    return "none";
  }
  if (damaged.length > 0) log.error({ damaged, files: files.length }, "damaged certificates were replaced or removed");
  if (files.length === 0) return "none";
  log.info({ files: files.length }, "certificates put back");
  return "put back";
}

/** Null when there is none that can be used. */
async function waitForCopy(options: PutBackOptions, limitMs: number): Promise<StoredFile[] | null> {
  const { bucket, log, youngKeyLimitMs = youngKeyMs } = options;
  const news = new RareCauses();
  const startedAt = performance.now();
  const isPassing = (error: unknown) =>
    mayPass(error) || (isKeyFault(error) && performance.now() - startedAt < youngKeyLimitMs);
  const onFault = (cause: string) => {
    if (news.isNews(cause)) log.warn({ cause }, "waiting for the store, which may hold the certificates");
  };
  try {
    return await waitForStore(() => fetchCopy(bucket), limitMs, onFault, isPassing);
  } catch (err) {
    log.error({ err, next: refusedNext }, "certificates cannot be put back: new ones are ordered");
    return null;
  }
}

const refusedNext = `look at ${copyKey} in the bucket, and at its older versions`;

async function fetchCopy(bucket: PutBackOptions["bucket"]): Promise<StoredFile[] | null> {
  for await (const key of bucket.list(copyKey)) {
    if (key !== copyKey) continue;
    const { text } = await bucket.get(copyKey);
    return readCopy(text);
  }
  return null;
}

/** Reads a copy. Throws ShapeError when it is not one, or has a file that does not belong there. */
function readCopy(text: string): StoredFile[] {
  const { files } = parseJson(CopySchema, text, copyKey);
  const foreign = files.find(({ path }) => !isKept(path));
  if (foreign !== undefined) throw new ShapeError(copyKey, `holds a file that is none of Caddy's: ${foreign.path}`);
  const half = findHalf(files);
  if (half !== null) throw new ShapeError(copyKey, `holds a certificate without its key: ${half}`);
  const damaged = listDamaged(files);
  return files.filter(({ path }) => !damaged.includes(dirname(path)));
}

/** Copies Caddy's storage into the bucket after each change. */
export class CertificateCopy {
  readonly #bucket: Pick<Bucket, "put">;
  readonly #log: Log;
  readonly #news = new RareCauses();
  #copied = "";
  #nextTryMs = 0;

  constructor(bucket: Pick<Bucket, "put">, log: Log) {
    this.#bucket = bucket;
    this.#log = log;
  }

  /** Copies the files if they are others than at the last copy. Not while one is half written. */
  async copy(files: readonly StoredFile[]): Promise<void> {
    const content = JSON.stringify(files);
    if (content === this.#copied || performance.now() < this.#nextTryMs) return;
    // Last: it reads every key, and this is asked once a second.
    if (!files.some(({ path }) => path.endsWith(".crt")) || findHalf(files) !== null || listDamaged(files).length > 0)
      return;
    try {
      await this.#bucket.put(copyKey, JSON.stringify({ format: 1, at: new Date().toISOString(), files }));
      this.#copied = content;
      this.#news.forget();
      this.#log.info({ files: files.length }, "certificates copied into the bucket");
    } catch (error) {
      this.#nextTryMs = performance.now() + copyPauseMs;
      const cause = String(error);
      if (this.#news.isNews(cause)) this.#log.warn({ cause }, "certificates are not copied yet; trying again");
    }
  }
}

const copyPauseMs = 10_000;
