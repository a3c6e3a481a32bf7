import type { DeployReport } from "./deploy-report.ts";
import type { Installation } from "./installer.ts";

type Facts = {
  installation: Installation;
  current: string;
  /** Whether the app answers /ready now. */
  isReady: boolean;
};
type Verdict = Pick<DeployReport, "outcome" | "cause" | "next" | "words">;

/** The exit codes of run-deploy. Any other is of a release from before they were agreed, and proves nothing good. */
export const installationCodes = { done: 0, busy: 75, refused: 100, wentBack: 101, down: 102 } as const;

const keptWords = 4_000;
const runbook = "mend it and npm run deploy; or restore, as docs/runbooks/not-ready.md says";

/** What an installation came to: by its exit code, or by what serves when it was cut off. Its words only explain it. */
export function judgeInstallation(
  { way, previous }: Pick<DeployReport, "way" | "previous">,
  { installation, current, isReady }: Facts,
): Verdict {
  if (installation.state !== "ended") {
    const known = installation.state === "gone" ? installation.cause : undefined;
    const cause = known ?? "the deploy was cut off again and again, by a restart of the machine or a kill";
    const outcome = isReady && current === previous ? "rolled-back" : "failed";
    return { outcome, cause, next: "look at the machine, then npm run deploy", words: null };
  }
  const { code } = installation;
  if (code === installationCodes.done) {
    const words = sayOfItself(installation).join("\n").slice(-keptWords) || null;
    return { outcome: way === "stop" ? "stopped" : "serving", cause: null, next: null, words };
  }
  const { cause, next } = explain(installation);
  const words = installation.words.slice(-keptWords);
  const again = way === "bucket" ? "mend it, then npm run deploy" : "mend it, then run this again";
  if (code === installationCodes.refused) return { outcome: "refused", cause, next: next ?? again, words };
  if (code === installationCodes.wentBack) return { outcome: "rolled-back", cause, next: again, words };
  return { outcome: "failed", cause, next: runbook, words };
}

type Ended = Extract<Installation, { state: "ended" }>;

/** What a program says of itself, or else the last that was said. */
function explain(ended: Ended): { cause: string; next: string | null } {
  const own = sayOfItself(ended);
  const refusal = own.map((line) => /^refused: (.*); next: (.*)$/.exec(line)).findLast((found) => found);
  if (refusal) return { cause: refusal[1] ?? "", next: refusal[2] ?? "" };
  const last = ended.words.split("\n").findLast((line) => line.trim() !== "") ?? "no words";
  return { cause: (own.join("; ") || `it ended with exit code ${ended.code}: ${last}`).slice(-keptWords), next: null };
}

const ownLine = "lifeboat: ";

function sayOfItself({ words }: Ended): string[] {
  const own = words.split("\n").filter((line) => line.startsWith(ownLine));
  // A release that is new here says the same when it is activated and when it is asked to serve.
  return [...new Set(own.map((line) => line.slice(ownLine.length)))];
}
