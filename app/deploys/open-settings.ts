import { readOptionalFile } from "../durable-file.ts";
import { BucketError } from "../replica/bucket-error.ts";
import { openBucket, sentinelKey } from "../replica/bucket.ts";
import { askUntilSure } from "./ask-until-sure.ts";
import { readBucketConfig, readKey } from "./machine-place.ts";
import { nameSealed, settingsObject, unseal } from "./sealed-settings.ts";

type Place = {
  /** The file of the present settings. */
  settings: string;
  /** The file with the key that new ones are sealed with. */
  settingsKey: string;
  /** How long a new key for the bucket may be unknown there. */
  limitMs: number;
};

/** Nothing was touched. */
export class SettingsRefused extends Error {
  readonly next: string;

  constructor(message: string, next: string, cause?: unknown) {
    super(message, { cause });
    this.next = next;
  }
}

/**
 * Fetches settings from the bucket, opens them, and makes sure that the bucket accepts the key in them: the machine
 * would be cut off with another one. Returns them as scripts/remote/bring-up.sh reads them. Throws SettingsRefused, and
 * BucketError when the store is away.
 */
export async function openSettings(sha256: string, place: Place): Promise<string> {
  const key = readOptionalFile(place.settingsKey)?.trim();
  if (key === undefined) {
    throw new SettingsRefused(
      "this machine was made before settings could come by the bucket, and has no key to open them with",
      'run pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32" && npm run up once; ' +
        "or npm run up -- --rebuild",
    );
  }
  const present = readBucketConfig(place.settings);
  const sealed = (await openBucket(present).get(settingsObject(sha256))).text;
  if (nameSealed(sealed) !== sha256)
    throw new SettingsRefused(`${settingsObject(sha256)} has another SHA-256`, "run up again");
  const opened = unsealOr(sealed, key);
  const given = { ...present, ...readKey(opened) };
  if (given.accessKeyId !== present.accessKeyId || given.secretAccessKey !== present.secretAccessKey)
    await waitUntilAccepted(given, place.limitMs);
  return opened;
}

function unsealOr(sealed: string, key: string): string {
  try {
    return unseal(sealed, key);
  } catch (cause) {
    throw new SettingsRefused(
      "the settings in the bucket were sealed with another key than this machine's",
      "run npm run up -- --rebuild, whose machine has the stack's present key",
      cause,
    );
  }
}

async function waitUntilAccepted(given: ReturnType<typeof readBucketConfig>, limitMs: number): Promise<void> {
  try {
    await askUntilSure(() => openBucket(given).get(sentinelKey), limitMs);
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    throw new SettingsRefused(
      `the bucket does not accept key ${given.accessKeyId} from this machine (${error.message})`,
      "look whether the key still exists, then run up again",
    );
  }
}
