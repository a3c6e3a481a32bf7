import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { ListObjectsV2Command } from "@aws-sdk/client-s3";

import { type SeaweedStore, startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { makeBucket, openS3 } from "../../infra/limited-key.ts";

const steps = join(import.meta.dirname, "../../../scripts/steps");

/** What stores answer to a call that they do not know, and to a key without the right. */
export const notImplemented = {
  status: 501,
  body: "<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>",
};
export const denied = {
  status: 403,
  body: "<Error><Code>AccessDenied</Code><Message>Not with this key</Message></Error>",
};

type Run = { code: unknown; stdout: string; stderr: string };

/** A real store, and the scripts that `pulumi up` runs on it, started as it starts them. */
export class ScriptedStore implements AsyncDisposable {
  readonly access: SeaweedStore["access"];
  readonly #store: SeaweedStore;

  private constructor(store: SeaweedStore) {
    this.#store = store;
    this.access = store.access;
  }

  static async open(): Promise<ScriptedStore> {
    return new ScriptedStore(await startSeaweedStore());
  }

  async run(script: string, bucket: string, environment: Record<string, string>): Promise<Run> {
    const child = spawn(process.execPath, [join(steps, script)], {
      env: { PATH: process.env["PATH"], ...this.place(bucket), ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.end(this.access.secretAccessKey);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code, stdout: stdout.trim(), stderr };
  }

  makeSentinel(bucket: string, LIFEBOAT_OWNER: string, LIFEBOAT_BUCKET_ID = ""): Promise<Run> {
    return this.run("make-sentinel.ts", bucket, { LIFEBOAT_OWNER, LIFEBOAT_BUCKET_ID });
  }

  /** The variables that name the bucket to the scripts, without the secret. */
  place(bucket: string): Record<string, string> {
    const { region, endpoint, accessKeyId } = this.access;
    return {
      LIFEBOAT_BUCKET: bucket,
      LIFEBOAT_REGION: region,
      LIFEBOAT_ENDPOINT: endpoint,
      LIFEBOAT_PATH_STYLE: "true",
      LIFEBOAT_ACCESS_KEY_ID: accessKeyId,
    };
  }

  async listKeys(Bucket: string): Promise<string[]> {
    const { Contents = [] } = await openS3(this.access, this.access).send(new ListObjectsV2Command({ Bucket }));
    return Contents.flatMap(({ Key }) => Key ?? []);
  }

  async newBucket(): Promise<string> {
    const bucket = `boat-${randomUUID()}`;
    await makeBucket(this.access, bucket);
    return bucket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
