import { type CommandLine, Ended, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlags } from "../cli/flags.ts";
import { readHttpsPlace, readMachineConfig } from "../cli/machine-config.ts";
import { renderTable } from "../cli/render-table.ts";
import type { Transcript } from "../cli/transcript.ts";
import { type Complaint, gatherFacts, type StatusFacts } from "./status-facts.ts";
import { gatherAsRoot } from "./status-journal.ts";
import { judgeStatus, renderAge, renderSize, type Warning } from "./status-warnings.ts";

type StatusOptions = Readonly<{ json: boolean }>;

const flags = { json: flag("everything as one JSON object: facts and warnings") } as const;
const mostComplaints = 5;

export const statusCommand: CommandLine<StatusOptions> = {
  name: "status",
  about: "Shows on one screen how the machine and its bucket are, and what needs somebody, with what cures it.",
  flags,
  examples: ["", "--json"],
  exitCodes: {
    ...verbExitCodes,
    0: "nothing needs anybody",
    1: "something does, as told; or it could not be found out",
  },
  readArguments: (words) => Object.freeze({ json: readFlags(words, flags).json }),
};

/** Prints what is known. Throws Ended when something needs somebody. */
export async function showStatus({ json }: StatusOptions, transcript: Transcript): Promise<void> {
  const asRoot = await gatherAsRoot();
  const https = readHttpsPlace();
  const facts = { ...(await gatherFacts(readMachineConfig(), https)), ...asRoot };
  const warnings = judgeStatus(facts);
  if (json) process.stdout.write(`${JSON.stringify({ ...facts, warnings })}\n`);
  else tell(facts, warnings, transcript);
  const [first] = warnings;
  if (first !== undefined) throw new Ended(1, `${warnings.length} of this need somebody, first: ${first.what}`);
}

function tell(facts: StatusFacts, warnings: readonly Warning[], transcript: Transcript): void {
  for (const { what, cure } of warnings) transcript.check("WARN", what, { evidence: `-> ${cure}` });
  if (warnings.length === 0) transcript.check("PASS", "nothing needs anybody", { evidence: "" });
  transcript.line(`\n${renderFacts(facts)}`);
  const complaints = facts.complaints ?? [];
  if (complaints.length > 0) transcript.line(`\n${renderComplaints(complaints)}`);
}

/** What is known, one line each. */
export function renderFacts(facts: StatusFacts): string {
  const { ready, boot, bucket, disk, certificate, at } = facts;
  const now = Date.parse(at);
  const since = (time: string) => `${renderAge(now - Date.parse(time))} ago`;
  const { head, verified } = bucket;
  return renderTable([
    ["MACHINE", facts.machine],
    ["RELEASE", facts.release?.slice(0, 12) ?? "none: it runs from sources"],
    ["APP", ready === null ? "does not answer" : ready.status],
    [
      "BOOT",
      boot === null
        ? "never told"
        : `${boot.outcome} ${since(boot.startedAt)}${boot.content === null ? "" : `, ${boot.content}`}`,
    ],
    ["EPOCH", ready === null ? "unknown" : `${ready.epoch}, ${ready.state}`],
    [
      "BUCKET",
      head === null
        ? `${bucket.name}, not known`
        : `${bucket.name}, head ${head.epoch} ${head.state} since ${since(head.openedAt)}`,
    ],
    ["REPLICATED", ready === null ? "unknown" : `${renderAge(ready.replicatedAgeMs)} ago`],
    ["COMPARED", renderRehearsal(facts.rehearsal, since)],
    [
      "VERIFIED",
      verified === null ? "never, as far as the bucket tells" : `${verified.outcome}, ${since(verified.startedAt)}`,
    ],
    ["DATABASE", `${renderSize(facts.databaseBytes)}, WAL file ${renderSize(facts.walBytes)}`],
    ["DISK", disk === null ? "unknown" : `${renderSize(disk.freeBytes)} of ${renderSize(disk.totalBytes)} free`],
    [
      "QUEUE",
      ready === null ? "unknown" : `${ready.queueLength} writes, the oldest ${renderAge(ready.oldestWriteMs ?? 0)}`,
    ],
    ["WRITES", renderWrites(facts.load)],
    ["TO LEAVE", renderTriggers(facts.load)],
    ["CERTIFICATE", renderCertificate(certificate, now)],
  ]);
}

function renderWrites(load: StatusFacts["load"]): string {
  if (load === null) return "unknown";
  const { seconds, writesPerSecond } = load.window;
  return `${writesPerSecond.mean.toFixed(1)} a second in the last ${renderAge(seconds * 1000)}, at most ${writesPerSecond.most.toFixed(1)}`;
}

/** The three reasons to leave, the calm ones without words. */
function renderTriggers(load: StatusFacts["load"]): string {
  if (load === null) return "unknown";
  const loud = load.triggers.filter(({ state }) => state !== "calm");
  if (loud.length === 0) return `no reason: ${load.triggers.map(({ trigger }) => trigger).join(", ")} are calm`;
  return loud.map(({ trigger, state, why }) => `${trigger} ${state}: ${why}`).join("; ");
}

function renderRehearsal(rehearsal: StatusFacts["rehearsal"], since: (time: string) => string): string {
  if (rehearsal === null) return "not known here";
  return rehearsal.at === null
    ? "no restore in three days"
    : `a restore with the live database, ${since(rehearsal.at)}`;
}

function renderCertificate(certificate: StatusFacts["certificate"], now: number): string {
  if (certificate === null) return "none is served, or not known here";
  const { name } = certificate;
  return "fault" in certificate
    ? `${name}: unknown`
    : `${name}, ends in ${renderAge(Date.parse(certificate.until) - now)}`;
}

function renderComplaints(complaints: readonly Complaint[]): string {
  const rows = complaints
    .slice(0, mostComplaints)
    .map(({ message, count, lastAt }) => [String(count), lastAt.slice(11, 19), message]);
  return renderTable([["LAST HOUR", "LAST", "WHAT THE APP WARNED OF"], ...rows]);
}
