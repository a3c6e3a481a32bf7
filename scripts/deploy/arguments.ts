import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import { checkText, flag, readFlags, readValue, stackName, text, UsageError } from "../../app/cli/flags.ts";
import { parseDurationMs } from "../../app/cli/quantity.ts";
import { silenceLimitMs } from "../../app/deploys/deploy-report.ts";
import { type ReleasePlatform, releasePlatforms } from "../../cloud-init/built-release.ts";
import { deployExitCodes } from "./bring-release.ts";

export type PlaceOptions = Readonly<{ stack: string | undefined }>;
export type WishOptions = PlaceOptions & Readonly<{ limitMs: number }>;
export type DeployOptions = WishOptions & Readonly<{ build: boolean; platform: ReleasePlatform | undefined }>;
export type RollbackOptions = WishOptions & Readonly<{ release: string | undefined }>;

const placeFlags = { stack: text("NAME", "the stack; without it, the one that is selected") } as const;
const wishFlags = {
  ...placeFlags,
  limit: text("TIME", "how long the machine may say nothing, such as 2m; 10m without it"),
} as const;
const deployFlags = {
  ...wishFlags,
  "no-build": flag("deploy the release that was built last, not what is here"),
  platform: text("NAME", "where no stack is known: linux-x64 or linux-arm64; linux-x64 without it"),
} as const;

const withoutStack =
  "In CI, without Pulumi: LIFEBOAT_BUCKET and LIFEBOAT_REGION say where, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY by which key.";
const exitCodes = { ...verbExitCodes, ...deployExitCodes };

export const deployCommand: CommandLine<DeployOptions> = {
  name: "deploy",
  about: `Builds the release from what is here and lets the machine run it, by the bucket and without SSH; the release before comes back when it does not get ready.\n${withoutStack}`,
  flags: deployFlags,
  examples: ["", "--no-build", "--limit 2m"],
  exitCodes,
  readArguments: (words) => {
    const values = readFlags(words, deployFlags);
    const platform = releasePlatforms.find((name) => name === values.platform);
    if (values.platform !== undefined && platform === undefined)
      throw new UsageError(`--platform: "${values.platform}" is none of ${releasePlatforms.join(", ")}`);
    return Object.freeze({ ...readWish(values), build: !values["no-build"], platform });
  },
};

export const rollbackCommand: CommandLine<RollbackOptions> = {
  name: "rollback",
  about: `Lets the machine run an earlier release that is in the bucket, the one before without its name; the machine refuses one that cannot serve the database.\n${withoutStack}`,
  flags: wishFlags,
  operands: "[RELEASE] [FLAGS]",
  examples: ["", "3f9c2a71b04e"],
  exitCodes,
  readArguments: (words) => {
    const [first = ""] = words;
    const release = first === "" || first.startsWith("-") ? undefined : first;
    if (release !== undefined && !/^[0-9a-f]{8,64}$/.test(release))
      throw new UsageError(
        `"${release}" is no release: name 8 hex digits of it or more, as npm run releases shows them`,
      );
    return Object.freeze({
      ...readWish(readFlags(release === undefined ? words : words.slice(1), wishFlags)),
      release,
    });
  },
};

export const releasesCommand: CommandLine<PlaceOptions> = {
  name: "releases",
  about: `Lists the releases in the bucket, the newest first, which of them runs, and how the last deploy stands.\n${withoutStack}`,
  flags: placeFlags,
  examples: ["", "--stack production"],
  exitCodes: verbExitCodes,
  readArguments: (words) => {
    const { stack } = readFlags(words, placeFlags);
    checkText("stack", stack, stackName);
    return Object.freeze({ stack });
  },
};

function readWish({ stack, limit }: { stack?: string | undefined; limit?: string | undefined }): WishOptions {
  checkText("stack", stack, stackName);
  const limitMs = readValue("limit", limit, parseDurationMs) ?? silenceLimitMs;
  if (limitMs < 1_000) throw new UsageError("--limit: it must be 1s at least");
  return { stack, limitMs };
}
