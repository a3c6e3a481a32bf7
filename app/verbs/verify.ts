import { type CommandLine, Ended, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlags, readValue, text, UsageError } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { parseDurationMs, parseSizeBytes, parseWholeNumber, renderSeconds } from "../cli/quantity.ts";
import { openTranscript, type Transcript } from "../cli/transcript.ts";
import { type VerifyLimits, type VerifyPlace, verifyReplica } from "../verify/verification.ts";

type VerifyOptions = VerifyLimits & Readonly<{ json: boolean }>;

const defaults = { points: 3, limitMs: 3_600_000, requests: 20_000 };
const leastLimitMs = 1_000;
const mostPoints = 100;

const flags = {
  json: flag("the report as one object on stdout; the transcript goes to stderr"),
  "dry-run": flag("say what it needs, and restore nothing"),
  deep: flag("restore some states of the past too, chosen at random"),
  points: text("N", `with --deep: how many; ${defaults.points} without it`),
  directory: text("PATH", "where the restored copy lies for a while; /var/tmp without it"),
  limit: text("TIME", "give up after this time, such as 10m; 60m without it"),
  requests: text("N", `do not begin when it takes more requests to the store; ${defaults.requests} without it`),
  disk: text("SIZE", "do not begin when the copy is bigger, such as 2GB"),
} as const;

const verifyExitCodes = {
  2: "what the bucket holds cannot be restored, or is not what it must be; the last lines say why, and what to do",
  3: "inconclusive: the store does not answer, or a limit was reached; the last lines say why, and what to do",
} as const;

export const verifyCommand: CommandLine<VerifyOptions> = {
  name: "verify",
  about:
    "Restores what the bucket holds to a temporary place and checks it: integrity, foreign keys, and on the machine every row beside the live database.",
  onLaptop:
    "It restores here, with a key that reads the bucket: that of your login, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. In CI, without Pulumi, LIFEBOAT_BUCKET and LIFEBOAT_REGION say where. Where LIFEBOAT_DATA_DIR is set, as by hand, it verifies as the machine does.",
  flags,
  examples: ["", "--deep --limit 10m", "--json"],
  exitCodes: { ...verbExitCodes, ...verifyExitCodes },
  readArguments: (words) => {
    const values = readFlags(words, flags);
    if (values.points !== undefined && !values.deep) throw new UsageError("--points: it goes with --deep");
    const points = readValue("points", values.points, (given) => parseWholeNumber(given, mostPoints));
    const limitMs = readValue("limit", values.limit, parseDurationMs) ?? defaults.limitMs;
    if (limitMs < leastLimitMs) throw new UsageError("--limit: it must be 1s at least");
    return Object.freeze({
      json: values.json,
      dryRun: values["dry-run"],
      points: values.deep ? (points ?? defaults.points) : 0,
      directory: values.directory ?? null,
      limitMs,
      mostRequests:
        readValue("requests", values.requests, (given) => parseWholeNumber(given, 1_000_000)) ?? defaults.requests,
      mostBytes: readValue("disk", values.disk, parseSizeBytes),
    });
  },
};

/** Verifies as the machine: beside its live database, with its key. */
export async function verifyHere(options: VerifyOptions, transcript: Transcript): Promise<void> {
  const { machineId, bucketId, litestreamPath, bucket, files } = readMachineConfig().machine;
  await verify(options, { machineId, bucketId, litestreamPath, bucket, files, isMachine: true }, transcript);
}

/** Verifies, prints, and throws Ended with the exit code of the outcome. */
export async function verify(options: VerifyOptions, place: VerifyPlace, given: Transcript): Promise<void> {
  const transcript = options.json ? openTranscript(options) : given;
  const report = await verifyReplica(place, options, transcript);
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const { outcome, cause, next, durationMs, notCompared, checks } = report;
  if (notCompared !== null && place.isMachine)
    transcript.check("WARN", "not compared with a live database", { evidence: notCompared });
  const seconds = renderSeconds(durationMs);
  switch (outcome) {
    case "planned":
      return transcript.line("nothing was restored");
    case "pass":
      return transcript.line(`PASS in ${seconds}: ${checks.length} restored, and sound`);
    case "fail":
      throw new Ended(2, `FAIL in ${seconds}: ${cause}\n  next: ${next}`);
    case "inconclusive":
      throw new Ended(3, `INCONCLUSIVE in ${seconds}: ${cause}\n  next: ${next}`);
    default:
      return outcome satisfies never;
  }
}
