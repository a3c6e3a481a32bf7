import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import {
  bucketName,
  checkChoice,
  checkText,
  flag,
  readFlags,
  stackName,
  text,
  UsageError,
} from "../../app/cli/flags.ts";
import { locations } from "../../cloud-init/locations.ts";

export type AdoptOptions = Readonly<{
  bucket: string;
  region: string | undefined;
  endpoint: string | undefined;
  /** A file with a public key. */
  sshKeyFile: string | undefined;
  adminCidr: string | undefined;
}>;

export type UpOptions = Readonly<{
  stack: string | undefined;
  yes: boolean;
  dryRun: boolean;
  location: string | undefined;
  rebuild: boolean;
  /** Whether to build the release from the sources here. Otherwise the last built one is used. */
  build: boolean;
  approveReplacement: boolean;
  /** A server is deleted without stopping it with a checked sync before. */
  withoutFinalSync: boolean;
  adopt: AdoptOptions | undefined;
}>;

const flags = {
  stack: text("NAME", "the stack; without it, the one that is selected"),
  yes: flag("do it without asking"),
  "dry-run": flag("show the plan and the cost, and change nothing"),
  location: text(
    "NAME",
    `move to ${locations.slice(0, -1).join(", ")} or ${locations.at(-1)}: new machine, volume and address there, same bucket`,
  ),
  rebuild: flag("destroy the machine and make a new one, on purpose; address, volume and bucket stay"),
  "no-build": flag("deploy the release that was built last, not what is here"),
  "approve-replacement": flag("allow the replacement of the machine that another change makes necessary"),
  "without-final-sync": flag("replace a machine that cannot be stopped: what is not in the bucket yet may be lost"),
  adopt: text("BUCKET", "the computer with the state is lost: take over what this bucket belongs to"),
  region: text("NAME", "with --adopt: the bucket's region; else AWS_REGION"),
  endpoint: text("URL", "with --adopt: the store, when it is not AWS"),
  "ssh-key": text("FILE", "with --adopt: the public key that may log in from now on"),
  "admin-cidr": text("CIDR", "with --adopt: the network that may log in from now on"),
} as const;

const adoptFlags = ["region", "endpoint", "ssh-key", "admin-cidr"] as const;

export const upCommand: CommandLine<UpOptions> = {
  name: "up",
  about:
    "Builds the release from what is here, shows plan and monthly cost, asks, carries it out, and ends with a URL that answers /ready.\n" +
    "--adopt takes its keys from HCLOUD_TOKEN and from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
  flags,
  examples: ["--dry-run", "--location hel1", "--adopt my-bucket --region eu-central-1 --ssh-key ~/.ssh/id_ed25519.pub"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `up`. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[]): UpOptions {
  const values = readFlags(words, flags);
  checkText("stack", values.stack, stackName);
  checkChoice("location", values.location, locations);
  return Object.freeze({
    stack: values.stack,
    yes: values.yes,
    dryRun: values["dry-run"],
    location: values.location,
    rebuild: values.rebuild,
    build: !values["no-build"],
    approveReplacement: values["approve-replacement"],
    withoutFinalSync: values["without-final-sync"],
    adopt: readAdoption(values),
  });
}

function readAdoption(values: ReturnType<typeof readFlags<typeof flags>>): AdoptOptions | undefined {
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
