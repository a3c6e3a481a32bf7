import { Ended } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import type { DeployReport } from "../../app/deploys/deploy-report.ts";
import type { CloudStore } from "../store/open-client.ts";
import { writeDesiredRelease } from "./desired-release.ts";
import { type Answer, waitForReport } from "./wait-for-report.ts";
import { claimDeploy, describeCaller } from "./wish.ts";

/** The exit codes of a verb that wishes a release, besides those of every verb. */
export const deployExitCodes = {
  3: "the release did not get ready; the machine serves the one before",
  4: "the release did not get ready and there is no way back; the machine is down",
  5: "nothing was heard of the machine within --limit; the wish stands, and is carried out when it comes back",
} as const;

type Bringing = { sha256: string; limitMs: number };

/**
 * Wishes a release, waits for the machine's report, and makes it the one that new machines install. Throws Ended with
 * the exit code of what the machine reported otherwise.
 */
export async function bringRelease(
  store: CloudStore,
  { sha256, limitMs }: Bringing,
  transcript: Transcript,
): Promise<void> {
  const short = sha256.slice(0, 12);
  const by = describeCaller(process.env);
  const { deploy, isJoined, at } = await transcript.step(
    `wish for ${short}`,
    () => claimDeploy(store, { sha256, by, way: "bucket" }),
    (wish) => (wish.isJoined ? `stands since ${wish.at}, by ${wish.by}` : wish.deploy),
  );
  if (isJoined) transcript.line(`(this release is wanted already, since ${at}: waiting for the same report)`);
  const report = await transcript.step(
    "the machine's report",
    async () => {
      let news = "";
      transcript.showProgress(() => news);
      const waiting = { deploy, silenceMs: limitMs, onNews: (words: string) => void (news = words) };
      return demandServing(await waitForReport(store, waiting), limitMs);
    },
    ({ machine }) => `machine ${machine} serves ${short}`,
  );
  await transcript.step(
    "new machines install it too",
    () => writeDesiredRelease(store, sha256, deploy),
    ({ sha256: desired, previous }) =>
      desired === sha256
        ? `before: ${previous?.slice(0, 12) ?? "none"}`
        : `another deploy has come after this one: they install ${desired.slice(0, 12)}`,
  );
  for (const words of listComplaints(report)) transcript.line(words);
  transcript.line(`serving ${short}, before ${report.previous?.slice(0, 12) ?? "none"}; to go back: npm run rollback`);
}

/** What a machine that serves says of itself all the same, such as that it is not hardened: a line each. */
export function listComplaints({ machine, words }: DeployReport): string[] {
  return words === null ? [] : words.split("\n").map((line) => `machine ${machine} says: ${line}`);
}

function demandServing(answer: Answer, limitMs: number): DeployReport {
  if (answer.kind === "silence") throw new Ended(5, describeSilence(answer, limitMs));
  if (answer.kind === "overtaken") throw new Ended(1, describeEnd(answer));
  const { report } = answer;
  if (report.outcome === "serving") return report;
  throw new Ended(endings[report.outcome].code, describeEnd(answer));
}

/** What to do about a wish that nobody hears: every watcher knows a deploy, an older one nothing else. */
export const deployFirst =
  "First: npm run deploy, which also brings a release that knows this way, and says so if the machine hears nothing at all";

/** Why a wish did not end as it was meant to: in the machine's words, or by whose wish. */
export function describeEnd(answer: Exclude<Answer, { kind: "silence" }>): string {
  if (answer.kind === "overtaken")
    return `another deploy has taken its place, by ${answer.by}. To see how it stands: npm run releases`;
  const { report } = answer;
  const said = report.words === null ? "" : `\nthe machine's last words:\n${indent(report.words)}`;
  const next = report.next === null ? "" : `\nnext: ${report.next}`;
  return `machine ${report.machine}: ${endings[report.outcome].words}: ${report.cause ?? "no cause"}${said}${next}`;
}

const noWayBack = { code: 4, words: "the machine does not serve, and found no way back" };
const endings = {
  refused: { code: 1, words: "the deploy was refused, and nothing was touched" },
  "rolled-back": { code: 3, words: "it did not get ready, and what was before serves again" },
  failed: noWayBack,
  // A machine reports neither at the end of what was not meant so.
  working: noWayBack,
  serving: noWayBack,
  stopped: { code: 1, words: "the services were stopped" },
} as const;

function describeSilence({ report, fault }: Extract<Answer, { kind: "silence" }>, limitMs: number): string {
  const who = report === undefined ? "no machine has begun the deploy" : `machine ${report.machine} has fallen silent`;
  const store = fault === null ? "" : ` (the store, at last: ${fault})`;
  return (
    `${who} within ${Math.round(limitMs / 1000)} s${store}: is it down? The wish stands: the machine carries it out when it comes back, and so does a new one. ` +
    "To wait on: npm run deploy; to see how it stands: npm run releases; to wish for something else: npm run rollback"
  );
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
