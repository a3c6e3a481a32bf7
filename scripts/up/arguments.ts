import { bucketName, checkText, flag, readWords, stackName, text } from "../verb/read-words.ts";
import { UsageError } from "../verb/run-verb.ts";

export type AdoptOptions = Readonly<{
  bucket: string;
  region: string | undefined;
  endpoint: string | undefined;
  /** A file with a public key. */
  sshKeyFile: string | undefined;
  adminCidr: string | undefined;
}>;

export type UpOptions = Readonly<{
  help: boolean;
  stack: string | undefined;
  yes: boolean;
  dryRun: boolean;
  location: string | undefined;
  rebuild: boolean;
  approveReplacement: boolean;
  /** A server that goes is not stopped with a checked sync before. */
  withoutFinalSync: boolean;
  adopt: AdoptOptions | undefined;
}>;

export const usage =
  "usage: npm run up -- [--stack NAME] [--yes] [--dry-run] [--location fsn1|nbg1|hel1|ash|hil|sin] [--rebuild]\n" +
  "         [--approve-replacement] [--without-final-sync]\n" +
  "       npm run up -- --adopt BUCKET [--region NAME] [--endpoint URL] [--ssh-key FILE] [--admin-cidr CIDR] [--yes] [--dry-run]\n" +
  "       --adopt takes the keys of the clouds from HCLOUD_TOKEN and from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

const adoptFlags = ["region", "endpoint", "ssh-key", "admin-cidr"] as const;
const locations = { pattern: /^(fsn1|nbg1|hel1|ash|hil|sin)$/, like: "one of fsn1, nbg1, hel1, ash, hil, sin" };

/** Reads the command line of `up`. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[]): UpOptions {
  const values = parseWords(words);
  checkText("stack", values.stack, stackName);
  checkText("location", values.location, locations);
  return Object.freeze({
    help: values.help,
    stack: values.stack,
    yes: values.yes,
    dryRun: values["dry-run"],
    location: values.location,
    rebuild: values.rebuild,
    approveReplacement: values["approve-replacement"],
    withoutFinalSync: values["without-final-sync"],
    adopt: readAdoption(values),
  });
}

function parseWords(words: readonly string[]) {
  return readWords(words, {
    help: flag,
    stack: text,
    yes: flag,
    "dry-run": flag,
    location: text,
    rebuild: flag,
    "approve-replacement": flag,
    "without-final-sync": flag,
    adopt: text,
    region: text,
    endpoint: text,
    "ssh-key": text,
    "admin-cidr": text,
  });
}

function readAdoption(values: ReturnType<typeof parseWords>): AdoptOptions | undefined {
  const { adopt: bucket, region, endpoint } = values;
  if (bucket === undefined) {
    const given = adoptFlags.find((name) => values[name] !== undefined);
    if (given !== undefined) throw new UsageError(`--${given} needs --adopt BUCKET`);
    return undefined;
  }
  checkText("adopt", bucket, bucketName);
  checkText("endpoint", endpoint, { pattern: /^https?:\/\/[^/]+\/?$/, like: "https://host" });
  checkText("admin-cidr", values["admin-cidr"], { pattern: /^[0-9a-f.:]+\/\d{1,3}$/, like: "203.0.113.7/32" });
  if (values.rebuild) throw new UsageError("--rebuild has no meaning with --adopt, which makes a machine in any case");
  if (values["without-final-sync"])
    throw new UsageError("--without-final-sync has no meaning with --adopt, which deletes no machine that is not off");
  return { bucket, region, endpoint, sshKeyFile: values["ssh-key"], adminCidr: values["admin-cidr"] };
}
