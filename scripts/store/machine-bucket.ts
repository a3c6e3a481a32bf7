import { setTimeout as sleep } from "node:timers/promises";

import { GetObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";

import { sentinelKey } from "../../app/replica/bucket.ts";
import type { MachineSettings } from "../remote/machine-settings.ts";
import { hostKeysObject, parseHostKeys } from "../ssh/host-keys.ts";
import { type CloudStore, openPatientStore } from "./open-client.ts";

const waitLimitMs = 120_000;
const pollMs = 2_000;
// AWS makes new keys known everywhere within seconds; one answer may come from a place that knows it early.
const neededAnswers = 3;

const placeHint =
  "at AWS the machine's key works from the machine and from adminCidrs only: is this computer's address in adminCidrs? " +
  'If not: pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32", or pulumi config set keyFromAnywhere true';

/** The bucket, as a machine with these settings sees it. */
export class MachineBucket implements Disposable {
  readonly #store: CloudStore;
  readonly #accessKeyId: string;
  readonly #limitMs: number;

  private constructor(store: CloudStore, { accessKeyId, limitMs }: { accessKeyId: string; limitMs: number }) {
    this.#store = store;
    this.#accessKeyId = accessKeyId;
    this.#limitMs = limitMs;
  }

  /** Opens it where the environment says, with the machine's key instead of whoever runs this. */
  static async open(
    environment: NodeJS.ProcessEnv,
    { accessKeyId, secretAccessKey }: Pick<MachineSettings, "accessKeyId" | "secretAccessKey">,
    limitMs = waitLimitMs,
  ): Promise<MachineBucket> {
    const place = { ...environment, AWS_PROFILE: "", LIFEBOAT_ACCESS_KEY_ID: accessKeyId };
    return new MachineBucket(await openPatientStore(place, async () => secretAccessKey), { accessKeyId, limitMs });
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
    const { client, bucket } = this.#store;
    for (const endAt = Date.now() + this.#limitMs; ;) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return (await Body?.transformToString()) ?? "";
      } catch (cause) {
        if (Date.now() > endAt) throw new Error(isForbidden(cause) ? `${failure}; ${placeHint}` : failure, { cause });
        await sleep(pollMs);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 403;
}
