import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { type Static, Type } from "typebox";

import { parseJson } from "../replica/parse-json.ts";
import type { Complaint, RootFacts, StatusFacts } from "./status-facts.ts";

const run = promisify(execFile);

/** What only root can ask. */
export async function gatherAsRoot(): Promise<RootFacts> {
  const [failedUnits, complaints, rehearsal] = await Promise.all([
    listFailedUnits(),
    listComplaints(),
    findRehearsal(),
  ]);
  return { failedUnits, complaints, rehearsal };
}

async function listFailedUnits(): Promise<readonly string[] | null> {
  const words = ["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"];
  const units = ["app.service", "boot.service", "litestream.service", "caddy.service", "edge.service", "lifeboat-*"];
  try {
    const { stdout } = await run("systemctl", [...words, ...units]);
    return stdout.split("\n").flatMap((line) => line.split(" ")[0] || []);
  } catch {
    return null;
  }
}

const LineSchema = Type.Object({ level: Type.Integer(), time: Type.Number(), msg: Type.String() });
const leastLevel = 40;

async function listComplaints(): Promise<readonly Complaint[] | null> {
  const lines = await searchJournal('"level":[456]0', 3_600);
  return lines === null ? null : countComplaints(lines);
}

async function findRehearsal(): Promise<StatusFacts["rehearsal"]> {
  const lines = await searchJournal('"inspection":"restore".*"the replica was judged and is sound"', 3 * 86_400);
  return lines === null ? null : { at: findLast(lines) };
}

/** When the last of these lines was logged. */
export function findLast(lines: readonly string[]): string | null {
  const last = lines.flatMap((line) => readLine(line) ?? []).at(-1);
  return last === undefined ? null : new Date(last.time).toISOString();
}

/** The lines of the app in the last seconds that match. Null without a journal, or when it is closed to this user. */
async function searchJournal(pattern: string, seconds: number): Promise<string[] | null> {
  const since = `@${Math.floor(Date.now() / 1000) - seconds}`;
  const words = ["--unit=app", `--since=${since}`, "--output=cat", "--no-pager", "--quiet", "--grep", pattern];
  try {
    const { stdout } = await run("journalctl", words, { maxBuffer: 2 ** 28 });
    return stdout.split("\n");
  } catch (error) {
    // It ends with 1 when nothing matches, and says why when it cannot look.
    const { code, stderr } = Object(error);
    return code === 1 && stderr === "" ? [] : null;
  }
}

/** Counts the warnings and errors among lines of the app's log. */
export function countComplaints(lines: readonly string[]): Complaint[] {
  const counted = new Map<string, Complaint>();
  for (const line of lines) {
    const entry = readLine(line);
    if (entry === null || entry.level < leastLevel) continue;
    const before = counted.get(entry.msg)?.count ?? 0;
    const lastAt = new Date(entry.time).toISOString();
    counted.set(entry.msg, { message: entry.msg, count: before + 1, lastAt });
  }
  return [...counted.values()].toSorted((one, other) => other.count - one.count);
}

function readLine(line: string): Static<typeof LineSchema> | null {
  try {
    return parseJson(LineSchema, line, "a line of the log");
  } catch {
    return null;
  }
}
