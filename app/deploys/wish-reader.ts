import { GetObjectCommand, HeadObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { parseJson } from "../replica/parse-json.ts";
import { type BucketConfig, openS3Client } from "../replica/s3-client.ts";
import { type DeployReport, deployReportKey, DeployReportSchema } from "./deploy-report.ts";
import { type WantedRelease, wantedReleaseKey, WantedReleaseSchema } from "./wanted-release.ts";

const answerMs = 10_000;
// A store is more than one computer.
const clockSlackMs = 60_000;
const desiredReleaseKey = "desired-release.json";

/** An object as the store has it. `writtenMs` is by the store's clock. */
type Stored = { text: string; etag: string; writtenMs: number };

/** The bucket, as far as deploys are concerned. */
export class WishReader implements Disposable {
  readonly #client: ReturnType<typeof openS3Client>;
  readonly #bucket: Bucket;
  #wish: { value: WantedRelease; etag: string; writtenMs: number } | null = null;
  /** The report that was read or written last. Without an ETag there is none. */
  #report: { deploy: string; etag: string | null; writtenMs: number } | null = null;
  #storeMs = 0;

  constructor(config: BucketConfig) {
    const onDate = (storeMs: number) => void (this.#storeMs = storeMs);
    this.#client = openS3Client(config, { answerMs, maxAttempts: 1, onDate });
    this.#bucket = openBucket(config);
  }

  /**
   * The wish that stands. Null when there is none. An unchanged one is not transferred again. Throws BucketError, and
   * ShapeError when it is something else.
   */
  async readWish(): Promise<WantedRelease | null> {
    const found = await this.#get(wantedReleaseKey, this.#wish?.etag);
    if (found === "unchanged") return this.#wish?.value ?? null;
    this.#wish = null;
    if (found === null) return null;
    const value = parseJson(WantedReleaseSchema, found.text, wantedReleaseKey);
    this.#wish = { value, etag: found.etag, writtenMs: found.writtenMs };
    return value;
  }

  /** The report of a deploy. Null while there is none. Throws BucketError, and ShapeError when it is something else. */
  async readReport(deploy: string): Promise<DeployReport | null> {
    const key = deployReportKey(deploy);
    const found = await this.#get(key);
    this.#report = { deploy, etag: null, writtenMs: 0 };
    if (found === null || found === "unchanged") return null;
    // Before it is understood, so that what is none can be replaced.
    this.#report = { deploy, etag: found.etag, writtenMs: found.writtenMs };
    return parseJson(DeployReportSchema, found.text, key);
  }

  /** For how long nobody has written the wish or its report, in ms by the store's own clock, if it has a sound one. */
  silentMs(): number {
    const writtenMs = Math.max(this.#wish?.writtenMs ?? 0, this.#report?.writtenMs ?? 0);
    return this.#nowMs(writtenMs) - writtenMs;
  }

  /** By the store's clock; by this machine's where that is not told, or is long before what the store has stored. */
  #nowMs(writtenMs: number): number {
    return this.#storeMs === 0 || this.#storeMs + clockSlackMs < writtenMs ? Date.now() : this.#storeMs;
  }

  /**
   * Writes a report in the place of the one that was read or written last. False when there is another one by now, or
   * when none was read: a machine must not begin what somebody takes back at the same moment. Throws BucketError.
   */
  async putReport(report: DeployReport): Promise<boolean> {
    const { deploy } = report;
    if (this.#report?.deploy !== deploy) return false;
    const { etag } = this.#report;
    // Unknown until the answer: it may be written although the answer is lost.
    this.#report = null;
    const text = `${JSON.stringify(report, null, 2)}\n`;
    const written = await this.#put(deployReportKey(deploy), text, etag);
    if (written === null) return false;
    this.#report = { deploy, etag: written, writtenMs: this.#nowMs(0) };
    return true;
  }

  /** Returns the new ETag, or null when the object is another one than was read. */
  async #put(key: string, text: string, etag: string | null): Promise<string | null> {
    try {
      return await this.#bucket.put(key, text, etag === null ? { ifNoneMatch: "*" } : { ifMatch: etag });
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      if (error.status === 412) return null;
      // A store without conditional writes: it was read a moment ago.
      if (error.kind === "unsupported" || error.kind === "never-matches") return this.#bucket.put(key, text);
      throw error;
    }
  }

  /**
   * Whether the wish was written after what new machines install. Then whoever wished was interrupted before the last
   * step. By the store's own clock. Throws BucketError.
   */
  async isNewerThanDesired(): Promise<boolean> {
    const call = `HEAD ${desiredReleaseKey} (bucket ${this.#bucket.name})`;
    try {
      const asked = new HeadObjectCommand({ Bucket: this.#bucket.name, Key: desiredReleaseKey });
      const { LastModified } = await this.#client.send(asked, { abortSignal: AbortSignal.timeout(answerMs) });
      return this.#wish !== null && LastModified !== undefined && this.#wish.writtenMs > LastModified.getTime();
    } catch (error) {
      throw toBucketError(error, call);
    }
  }

  async #get(Key: string, IfNoneMatch?: string): Promise<Stored | "unchanged" | null> {
    const call = `GET ${Key} (bucket ${this.#bucket.name})`;
    try {
      const asked = new GetObjectCommand({ Bucket: this.#bucket.name, Key, IfNoneMatch });
      const answer = await this.#client.send(asked, { abortSignal: AbortSignal.timeout(answerMs) });
      const text = await answer.Body?.transformToString();
      const { ETag: etag, LastModified } = answer;
      if (text === undefined || etag === undefined || LastModified === undefined)
        throw BucketError.notAStore(call, "no ETag, no date or no body");
      return { text, etag, writtenMs: LastModified.getTime() };
    } catch (error) {
      const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
      if (status === 304) return "unchanged";
      if (status === 404) return null;
      throw toBucketError(error, call);
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
