import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

import type { UserDataInput } from "../../cloud-init/user-data-input.ts";
import { renderUserData } from "../../cloud-init/user-data.ts";
import { type ArchiveFile, writeArchive } from "../../scripts/build/write-archive.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { startSeaweedStore, type StoreAccess } from "../../scripts/local/seaweed-store.ts";
import type { CloudStore } from "../../scripts/store/open-client.ts";
import { exampleInput } from "./example-input.ts";

const quickLevel = 1;

/** A store with a bucket as `pulumi up` makes it, for releases and for the machines that fetch them. */
export class ReleaseBucket implements AsyncDisposable {
  readonly port: number;
  /** Of the store's owner. */
  readonly access: StoreAccess;
  readonly #input: UserDataInput;
  readonly #client: S3Client;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(access: StoreAccess, input: UserDataInput, cleanup: AsyncDisposableStack) {
    const { endpoint, region } = access;
    this.access = access;
    this.#input = input;
    this.#cleanup = cleanup;
    this.#client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: access });
    this.port = Number(new URL(endpoint).port);
  }

  /** With `iamApi`, keys with limits of their own can be made at the store. */
  static async open({ iamApi = false } = {}): Promise<ReleaseBucket> {
    await using made = new AsyncDisposableStack();
    const store = made.use(await startSeaweedStore({ iamApi }));
    const { config, bucketId } = await prepareBucket(store.access, null);
    const { accessKeyId, secretAccessKey, ...place } = config;
    const input = { ...exampleInput, bucket: { ...place, bucketId }, key: { accessKeyId, secretAccessKey } };
    return new ReleaseBucket(store.access, input, made.move());
  }

  /** The user-data of a machine of this bucket, with the release of its birth. */
  renderUserData(sha256: string, changed: Partial<UserDataInput> = {}): string {
    return renderUserData({ ...this.#input, release: { sha256 }, ...changed });
  }

  get key(): UserDataInput["key"] {
    return this.#input.key;
  }

  get place(): UserDataInput["bucket"] {
    return this.#input.bucket;
  }

  /** As its owner sees it; it is closed with this. */
  get store(): CloudStore {
    return { client: this.#client, bucket: this.#input.bucket.bucket, [Symbol.dispose]: () => {} };
  }

  async put(key: string, body: string | Buffer): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: this.#input.bucket.bucket, Key: key, Body: body }));
  }

  async delete(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#input.bucket.bucket, Key: key }));
  }

  /** Makes a release of these files, puts it into the bucket and returns its SHA-256. */
  async putRelease(files: readonly ArchiveFile[]): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "lifeboat-releases-"));
    try {
      const { sha256, path } = await writeArchive(directory, files, quickLevel);
      await this.put(`releases/${sha256}.tar.gz`, readFileSync(path));
      return sha256;
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    return this.#cleanup.disposeAsync();
  }
}
