import { GetObjectCommand, HeadObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { parseJson } from "../replica/parse-json.ts";
import { type BucketConfig, openS3Client } from "../replica/s3-client.ts";
import { type DeployReport, deployReportKey, DeployReportSchema } from "./deploy-report.ts";
import { type WantedRelease, wantedReleaseKey, WantedReleaseSchema } from "./wanted-release.ts";

const answerMs = 10_000;
const desiredReleaseKey = "desired-release.json";

/** The bucket, as far as deploys are concerned. */
export class WishReader implements Disposable {
  readonly #client: ReturnType<typeof openS3Client>;
  readonly #bucket: Bucket;
  #etag: string | undefined;
  #wish: WantedRelease | null = null;
  #writtenAt: Date | undefined;

  constructor(config: BucketConfig) {
    this.#client = openS3Client(config, { answerMs, maxAttempts: 1, onDate: () => undefined });
    this.#bucket = openBucket(config);
  }

  /**
   * The wish that stands. Null when there is none. An unchanged one is not transferred again. Throws BucketError, and
   * ShapeError when it is something else.
   */
  async readWish(): Promise<WantedRelease | null> {
    const call = `GET ${wantedReleaseKey} (bucket ${this.#bucket.name})`;
    try {
      const condition = this.#etag === undefined ? {} : { IfNoneMatch: this.#etag };
      const asked = new GetObjectCommand({ Bucket: this.#bucket.name, Key: wantedReleaseKey, ...condition });
      const answer = await this.#client.send(asked, { abortSignal: AbortSignal.timeout(answerMs) });
      const text = await answer.Body?.transformToString();
      if (text === undefined || answer.ETag === undefined) throw BucketError.notAStore(call, "no ETag or no body");
      this.#wish = parseJson(WantedReleaseSchema, text, wantedReleaseKey);
      this.#etag = answer.ETag;
      this.#writtenAt = answer.LastModified;
    } catch (error) {
      const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
      if (status === 304) return this.#wish;
      if (status !== 404) throw toBucketError(error, call);
      this.#etag = undefined;
      this.#wish = null;
    }
    return this.#wish;
  }

  /** The report of a deploy. Null while there is none. Throws BucketError, and ShapeError when it is something else. */
  async readReport(deploy: string): Promise<DeployReport | null> {
    const key = deployReportKey(deploy);
    try {
      return parseJson(DeployReportSchema, (await this.#bucket.get(key)).text, key);
    } catch (error) {
      if (error instanceof BucketError && error.kind === "missing" && error.status === 404) return null;
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
      return this.#writtenAt !== undefined && LastModified !== undefined && this.#writtenAt > LastModified;
    } catch (error) {
      throw toBucketError(error, call);
    }
  }

  async putReport(report: DeployReport): Promise<void> {
    await this.#bucket.put(deployReportKey(report.deploy), `${JSON.stringify(report, null, 2)}\n`);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
