import type { DeployReport } from "./deploy-report.ts";
import type { Installation } from "./installer.ts";

type Facts = { installation: Installation; current: string };
type Verdict = Pick<DeployReport, "outcome" | "cause" | "next" | "words">;

/** What an installation came to, by its exit code, its words and the release that is current afterwards. */
export function judgeInstallation(
  { way, sha256, previous }: Pick<DeployReport, "way" | "sha256" | "previous">,
  { installation, current }: Facts,
): Verdict {
  if (installation.state !== "ended") {
    const cause = "the deploy was cut off again and again, by a restart of the machine or a kill";
    const isNew = current === sha256 && current !== previous;
    return {
      outcome: isNew ? "failed" : "refused",
      cause,
      next: "look at the machine, then npm run deploy",
      words: null,
    };
  }
  const { code, words } = installation;
  if (code === 0) return { outcome: way === "stop" ? "stopped" : "serving", cause: null, next: null, words: null };
  const own = words.split("\n").filter((line) => line.startsWith("lifeboat: "));
  const refusal = /^lifeboat: refused: (.*); next: (.*)$/.exec(own.at(-1) ?? "");
  if (refusal !== null) return { outcome: "refused", cause: refusal[1] ?? "", next: refusal[2] ?? "", words };
  const cause = own.map((line) => line.slice("lifeboat: ".length)).join("; ") || `it ended with exit code ${code}`;
  if (current === sha256 && current !== previous)
    return {
      outcome: "failed",
      cause,
      next: "mend it and npm run deploy; or restore, as docs/runbooks/not-ready.md says",
      words,
    };
  const outcome = words.includes("going back to ") || way === "stop" ? "rolled-back" : "refused";
  return {
    outcome,
    cause,
    next: way === "bucket" ? "mend it, then npm run deploy" : "mend it, then run this again",
    words,
  };
}
