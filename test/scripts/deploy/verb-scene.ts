import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach } from "vitest";

import { type DeployReport, deployReportKey, draftReport } from "../../../app/deploys/deploy-report.ts";
import type { BucketConfig } from "../../../app/replica/s3-client.ts";
import { writeDesiredRelease } from "../../../scripts/deploy/desired-release.ts";
import { releaseKey } from "../../../scripts/deploy/upload-release.ts";
import { claimDeploy } from "../../../scripts/deploy/wish.ts";
import { type CloudStore, openCloudStore } from "../../../scripts/store/open-client.ts";
import { ScriptedStore } from "../store/scripted-store.ts";

type Verb = readonly [string, ...string[]];

/** Each test has a bucket with these releases in it; the last one is what new machines install. */
export function useVerbScene(releases: readonly string[]): VerbScene {
  const scene = new VerbScene();
  beforeAll(() => scene.open());
  afterAll(() => scene[Symbol.asyncDispose]());
  beforeEach(() => scene.begin(releases));
  return scene;
}

class VerbScene implements AsyncDisposable {
  #scripted: ScriptedStore | undefined;
  #store: CloudStore | undefined;
  bucketId = "";

  async open(): Promise<void> {
    this.#scripted = await ScriptedStore.open();
  }

  async begin(releases: readonly string[]): Promise<void> {
    this.#store?.[Symbol.dispose]();
    const name = await this.scripted.newBucket();
    this.bucketId = (await this.scripted.makeSentinel(name, "lifeboat/production")).stdout;
    this.#store = await openCloudStore(this.scripted.place(name), async () => this.scripted.access.secretAccessKey);
    for (const release of releases) await this.put(releaseKey(release), "a release");
    for (const release of releases) await writeDesiredRelease(this.store, release);
  }

  get scripted(): ScriptedStore {
    if (this.#scripted === undefined) throw new Error("the store has not started");
    return this.#scripted;
  }

  get store(): CloudStore {
    if (this.#store === undefined) throw new Error("the scene has not begun");
    return this.#store;
  }

  get bucket(): BucketConfig {
    return { ...this.scripted.access, bucket: this.store.bucket };
  }

  put = (Key: string, Body: string) =>
    this.store.client.send(new PutObjectCommand({ Bucket: this.store.bucket, Key, Body }));

  /** A wish that a machine has carried out, of which nobody has told new machines. */
  async serve(sha256: string, previous: string): Promise<void> {
    const wish = await this.wishFor(sha256);
    const report: DeployReport = { ...draftReport(wish, "4711", previous), outcome: "serving", endedAt: wish.at };
    await this.put(deployReportKey(wish.deploy), JSON.stringify(report));
  }

  wishFor = (sha256: string, by = "ada") => claimDeploy(this.store, { sha256, by, way: "bucket" });

  /** Runs a verb as a job of CI does: no Pulumi, no terminal. */
  run = async ([verb, ...words]: Verb, environment: Readonly<Record<string, string>> = {}) => {
    const { region, endpoint, accessKeyId, secretAccessKey } = this.scripted.access;
    const child = spawn(process.execPath, [join(import.meta.dirname, `../../../scripts/${verb}.ts`), ...words], {
      env: {
        PATH: "/usr/bin:/bin",
        GITHUB_ACTOR: "octocat",
        GITHUB_RUN_ID: "77",
        LIFEBOAT_BUCKET: this.store.bucket,
        LIFEBOAT_REGION: region,
        LIFEBOAT_ENDPOINT: endpoint,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: Number(code), stdout, stderr };
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store?.[Symbol.dispose]();
    await this.#scripted?.[Symbol.asyncDispose]();
  }
}
