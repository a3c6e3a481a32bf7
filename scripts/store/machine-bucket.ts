import { setTimeout as sleep } from "node:timers/promises";

import { GetObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";

import { askUntilSure } from "../../app/deploys/ask-until-sure.ts";
import { sentinelKey } from "../../app/replica/bucket.ts";
import type { MachineSettings } from "../remote/machine-settings.ts";
import { hostKeysObject, parseHostKeys } from "../ssh/host-keys.ts";
import { type CloudStore, openPatientStore } from "./open-client.ts";

const waitLimitMs = 120_000;
const pollMs = 2_000;

const placeHint =
  "at AWS the machine's key works from the machine and from adminCidrs only: is this computer's address in adminCidrs? " +
  'If not: pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32", or pulumi config set keyFromAnywhere true';

type Opening = { open: () => Promise<CloudStore>; accessKeyId: string; limitMs: number };

/** The bucket, as a machine with these settings sees it. */
export class MachineBucket implements Disposable {
  readonly #store: CloudStore;
  readonly #opening: Opening;

  private constructor(store: CloudStore, opening: Opening) {
    this.#store = store;
    this.#opening = opening;
  }

  /** Opens the bucket that the environment names, with the machine's key instead of the user's. */
  static async open(
    environment: NodeJS.ProcessEnv,
    { accessKeyId, secretAccessKey }: Pick<MachineSettings, "accessKeyId" | "secretAccessKey">,
    limitMs = waitLimitMs,
  ): Promise<MachineBucket> {
    const place = { ...environment, AWS_PROFILE: "", LIFEBOAT_ACCESS_KEY_ID: accessKeyId };
    const open = () => openPatientStore(place, async () => secretAccessKey);
    return new MachineBucket(await open(), { open, accessKeyId, limitMs });
  }

  /**
   * Waits until the bucket accepts the key. A machine that got it sooner would take the refusal for a wrong bucket.
   * Throws after two minutes.
   */
  async waitUntilKeyWorks(): Promise<void> {
    const { open, accessKeyId, limitMs } = this.#opening;
    const ask = async () => {
      using store = await open();
      await store.client.send(new GetObjectCommand({ Bucket: store.bucket, Key: sentinelKey }));
    };
    try {
      await askUntilSure(ask, limitMs);
    } catch (cause) {
      throw new Error(explain(`the bucket does not accept key ${accessKeyId}`, cause), { cause });
    }
  }

  /**
   * Waits for the SSH host keys that the server of that number has put into the bucket (cloud-init's tell-host-keys),
   * as `type base64`. Only a holder of the machine's key can have put them there. Throws after two minutes.
   */
  async waitForHostKeys(server: string): Promise<string[]> {
    const key = hostKeysObject(server);
    return parseHostKeys(
      await this.#waitForObject(key, `server ${server} has not told its SSH host keys to the bucket (${key})`),
    );
  }

  async #waitForObject(key: string, failure: string): Promise<string> {
    const { client, bucket } = this.#store;
    for (const endAt = Date.now() + this.#opening.limitMs; ;) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return (await Body?.transformToString()) ?? "";
      } catch (cause) {
        if (Date.now() > endAt) throw new Error(explain(failure, cause), { cause });
        await sleep(pollMs);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}

function explain(failure: string, cause: unknown): string {
  const isForbidden = cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === 403;
  return isForbidden ? `${failure}; ${placeHint}` : failure;
}
