import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

import { Type } from "typebox";

import { type CommandLine, Ended, Refused, verbExitCodes } from "../cli/command-line.ts";
import { checkChoice, flag, readFlagsAndOperand, readValue, text } from "../cli/flags.ts";
import { parseMoment } from "../cli/moment.ts";
import { parseWholeNumber } from "../cli/quantity.ts";
import { renderLogLine } from "../cli/render-log-line.ts";
import { parseJson } from "../replica/parse-json.ts";

type LogsOptions = Readonly<{
  unit: string | undefined;
  follow: boolean;
  lines: number;
  since: Date | null;
  json: boolean;
}>;

/** What may be asked for, and the unit of systemd behind it. */
const units: Readonly<Record<string, string>> = {
  app: "app",
  boot: "boot",
  litestream: "litestream",
  caddy: "caddy",
  edge: "edge",
  deploys: "lifeboat-deploys",
  bootstrap: "lifeboat-bootstrap",
  hardening: "lifeboat-hardening",
  upgrades: "lifeboat-upgrades",
};
const names = Object.keys(units);
const usualLines = 50;
const mostLines = 100_000;

const flags = {
  follow: flag("go on with what is logged from now on, until Ctrl-C"),
  lines: text("N", `how many of the last lines; ${usualLines} without it`),
  since: text("TIME", "only what is newer, such as 10m or 2026-11-25T09:59Z"),
  json: flag("one JSON object a line: at, unit, line"),
} as const;

export const logsCommand: CommandLine<LogsOptions> = {
  name: "logs",
  about: `Shows the last lines of the machine's services, or of one: ${names.join(", ")}.`,
  flags,
  operands: "[UNIT] [FLAGS]",
  examples: ["", "app --follow", "boot --since 1h"],
  exitCodes: { ...verbExitCodes, 130: "interrupted" },
  readArguments: (words) => {
    const { values, operand: unit } = readFlagsAndOperand(words, flags, "the unit");
    checkChoice("unit", unit, names);
    return Object.freeze({
      unit,
      follow: values.follow,
      lines: readValue("lines", values.lines, (given) => parseWholeNumber(given, mostLines)) ?? usualLines,
      since: readValue("since", values.since, (given) => parseMoment(given, Date.now())),
      json: values.json,
    });
  },
};

/** Prints what systemd's journal holds. Throws Ended with its exit code when it shows nothing to this user. */
export async function showLogs(options: LogsOptions): Promise<void> {
  const words = journalWords(options);
  const child = spawn("journalctl", words, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new Refused(
          "the logs are in systemd's journal, and there is no journalctl here; a machine set up by hand keeps its logs where docs/runbooks/by-hand.md has put them",
          { cause },
        ),
      ),
    );
    child.once("close", (code) => resolve(code ?? 1));
  });
  await Promise.all([ended, printEntries(child.stdout, options)]);
  const code = await ended;
  if (code !== 0)
    throw new Ended(code, `journalctl ended with ${code}; the journal is open to root: put sudo before it`);
}

/** The command line of journalctl. */
export function journalWords({ unit, follow, lines, since }: Omit<LogsOptions, "json">): string[] {
  const wanted = unit === undefined ? Object.values(units) : [units[unit] ?? unit];
  return [
    ...wanted.map((name) => `--unit=${name}`),
    "--no-pager",
    "--output=json",
    `--lines=${lines}`,
    ...(since === null ? [] : [`--since=@${Math.floor(since.getTime() / 1000)}`]),
    ...(follow ? ["--follow"] : []),
  ];
}

const EntrySchema = Type.Object({
  __REALTIME_TIMESTAMP: Type.String(),
  // Systemd speaks of a unit in its own messages, without being in it.
  _SYSTEMD_UNIT: Type.Optional(Type.String()),
  UNIT: Type.Optional(Type.String()),
  // Bytes where the message is no text, and null where it is too long.
  MESSAGE: Type.Optional(Type.Union([Type.String(), Type.Array(Type.Integer()), Type.Null()])),
});

async function printEntries(stream: Readable, { json }: LogsOptions): Promise<void> {
  for await (const entry of createInterface({ input: stream }))
    process.stdout.write(`${json ? JSON.stringify(readEntry(entry)) : renderEntry(entry)}\n`);
}

/** Renders an entry of the journal, as journalctl writes it in JSON, for people. */
export function renderEntry(entry: string): string {
  const { at, unit, line } = readEntry(entry);
  const { time, text: words } = renderLogLine(line);
  const clock = (time ?? new Date(at)).toISOString().slice(0, 19).replace("T", " ");
  return `${clock} ${unit.padEnd(10)} ${words}`;
}

function readEntry(entry: string): { at: string; unit: string; line: string } {
  const {
    __REALTIME_TIMESTAMP: us,
    _SYSTEMD_UNIT: own,
    UNIT: about,
    MESSAGE: message,
  } = parseJson(EntrySchema, entry, "an entry of the journal");
  const unit = (about ?? own ?? "").replace(/\.service$/, "").replace(/^lifeboat-/, "");
  const line = Array.isArray(message) ? Buffer.from(message).toString("utf8") : (message ?? "(too long)");
  return { at: new Date(Number(us) / 1000).toISOString(), unit, line };
}
