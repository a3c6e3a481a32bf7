import { setTimeout as sleep } from "node:timers/promises";

import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

import { sentinelKey } from "../../app/replica/sentinel.ts";
import { hostKeysObject, parseHostKeys } from "./host-keys.ts";
import type { MachineSettings } from "./machine-settings.ts";
import { requireVariable } from "./open-client.ts";

const waitLimitMs = 120_000;
const pollMs = 2_000;
// AWS makes new keys known everywhere within seconds; one answer may come from a place that knows it early.
const neededAnswers = 3;

/** The bucket, as a machine with these settings sees it. */
export class MachineBucket implements Disposable {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #accessKeyId: string;

  constructor(environment: NodeJS.ProcessEnv, { accessKeyId, secretAccessKey }: MachineSettings) {
    const endpoint = environment["LIFEBOAT_ENDPOINT"] ?? "";
    this.#bucket = requireVariable(environment, "LIFEBOAT_BUCKET");
    this.#accessKeyId = accessKeyId;
    this.#client = new S3Client({
      region: requireVariable(environment, "LIFEBOAT_REGION"),
      ...(endpoint === "" ? {} : { endpoint }),
      forcePathStyle: environment["LIFEBOAT_PATH_STYLE"] === "true",
      credentials: { accessKeyId, secretAccessKey },
      requestHandler: { connectionTimeout: 5_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
    });
  }

  /** Waits until the bucket accepts the key. A machine that got it sooner would take the refusal for a wrong bucket. Throws after two minutes. */
  async waitUntilKeyWorks(): Promise<void> {
    const failure = `the bucket does not accept key ${this.#accessKeyId}`;
    for (let answers = 0; answers < neededAnswers; answers++) await this.#waitForObject(sentinelKey, failure);
  }

  /**
   * Waits for the SSH host keys that the server of that number has put into the bucket (cloud-init's tell-host-keys), as
   * `type base64`. Nobody but a holder of the machine's key can have put them there. Throws after two minutes.
   */
  async waitForHostKeys(server: string): Promise<string[]> {
    const key = hostKeysObject(server);
    return parseHostKeys(
      await this.#waitForObject(key, `server ${server} has not told its SSH host keys to the bucket (${key})`),
    );
  }

  async #waitForObject(key: string, failure: string): Promise<string> {
    for (const endAt = Date.now() + waitLimitMs; ;) {
      try {
        const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
        return (await Body?.transformToString()) ?? "";
      } catch (cause) {
        if (Date.now() > endAt) throw new Error(failure, { cause });
        await sleep(pollMs);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
