import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { type SeaweedStore, startSeaweedStore } from "../../../scripts/drill/seaweed-store.ts";
import { makeBucket } from "../../infra/limited-key.ts";

const scripts = join(import.meta.dirname, "../../../scripts/cloud");

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
    const { access } = this;
    const place = {
      LIFEBOAT_BUCKET: bucket,
      LIFEBOAT_REGION: access.region,
      LIFEBOAT_ENDPOINT: access.endpoint,
      LIFEBOAT_PATH_STYLE: "true",
    };
    const child = spawn(process.execPath, [join(scripts, script)], {
      env: { PATH: process.env["PATH"], ...place, LIFEBOAT_ACCESS_KEY_ID: access.accessKeyId, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.end(access.secretAccessKey);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code, stdout: stdout.trim(), stderr };
  }

  makeSentinel(bucket: string, LIFEBOAT_OWNER: string, LIFEBOAT_BUCKET_ID = ""): Promise<Run> {
    return this.run("make-sentinel.ts", bucket, { LIFEBOAT_OWNER, LIFEBOAT_BUCKET_ID });
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
