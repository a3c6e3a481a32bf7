import { existsSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { text as readAll } from "node:stream/consumers";

import { type CommandLine, Refused, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlagsAndOperand, readValue, text, UsageError } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { parseDurationMs, parseWholeNumber } from "../cli/quantity.ts";
import { renderTable } from "../cli/render-table.ts";
import { renderValue, toJsonValue } from "../cli/render-value.ts";
import type { Transcript } from "../cli/transcript.ts";
import { listFileLocks } from "../database/file-locks.ts";
import type { Table } from "../database/read-by-hand.ts";
import type { MachineFiles } from "../replica/machine.ts";
import { SqlProcess, StatementFailed } from "./sql-process.ts";

type SqlOptions = Readonly<{ statement: string | undefined; json: boolean; rows: number; limitMs: number }>;

const usualRows = 1_000;
const mostRows = 1_000_000;
const usualLimitMs = 30_000;
const mostLimitMs = 600_000;

const flags = {
  json: flag("the answer as one JSON object: columns, rows, isComplete"),
  rows: text("N", `how many rows at most; ${usualRows} without it`),
  limit: text("TIME", "how long a statement may read, such as 2m; 30s without it, 10m at most"),
} as const;

export const sqlCommand: CommandLine<SqlOptions> = {
  name: "sql",
  about: "Reads the live database, with one statement or in a shell. It cannot write, and never checkpoints.",
  flags,
  operands: "[STATEMENT] [FLAGS]",
  examples: ["'select count(*) from customers'", "'select * from customers' --json", ""],
  exitCodes: { ...verbExitCodes, 130: "interrupted" },
  readArguments: (words) => {
    const { values, operand: statement } = readFlagsAndOperand(words, flags, "the statement, which stands in quotes");
    const limitMs = readValue("limit", values.limit, parseDurationMs) ?? usualLimitMs;
    if (limitMs < 1 || limitMs > mostLimitMs) throw new UsageError("--limit: it must be more than 0s and at most 10m");
    const rows = readValue("rows", values.rows, (given) => parseWholeNumber(given, mostRows)) ?? usualRows;
    return Object.freeze({ statement, json: values.json, rows, limitMs });
  },
};

/** Reads what was asked for, on the command line, on standard input, or in a shell. Throws Refused without a database. */
export async function runSql(options: SqlOptions, transcript: Transcript): Promise<void> {
  const { files } = readMachineConfig().machine;
  if (!existsSync(files.database))
    throw new Refused(
      `there is no database at ${files.database}: boot has not brought one back yet, or the volume is not mounted; what boot said: lifeboat logs boot`,
    );
  if (!isServed(files)) process.stderr.write("the app does not run; this is the database as it lies on the disk\n");
  using sql = new SqlProcess(files.database, options.limitMs);
  if (options.statement === undefined && process.stdin.isTTY) return await runShell(sql, options, transcript);
  const statement = options.statement ?? (await readAll(process.stdin));
  process.stdout.write(`${await runOne(sql, statement, options)}\n`);
}

/** Whether some process holds the lock of the data directory. Where the kernel does not tell, nothing is said. */
function isServed(files: MachineFiles): boolean {
  return (listFileLocks(files.lock) ?? [null]).length > 0;
}

async function runOne(sql: SqlProcess, statement: string, { rows, json }: SqlOptions): Promise<string> {
  const table = await sql.run({ text: statement, mostRows: rows });
  return json ? renderJson(table) : renderRows(table);
}

const shellHelp = `A statement ends with a semicolon. .tables lists the tables, .schema shows what made them, .quit or Ctrl-D ends.
Ctrl-C stops a statement that runs.`;
const shortcuts: Readonly<Record<string, string>> = {
  ".tables": "select name from sqlite_schema where type in ('table', 'view') order by name",
  ".schema": "select sql from sqlite_schema where sql is not null order by type desc, name",
};

async function runShell(sql: SqlProcess, options: SqlOptions, transcript: Transcript): Promise<void> {
  transcript.line(shellHelp);
  using terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: "lifeboat> " });
  const { promise: closed, resolve: close, reject: fail } = Promise.withResolvers<void>();
  let typed = "";
  let isOver = false;
  const prompt = () => isOver || terminal.prompt();
  const obey = async (line: string) => {
    const words = line.trim();
    if (words === ".quit" || words === ".exit") return close();
    typed = words === "" ? "" : `${typed}${line}\n`;
    const statement = shortcuts[words] ?? (words.endsWith(";") ? typed : null);
    if (words.startsWith(".") && statement === null) transcript.line(shellHelp);
    if (words.startsWith(".") || words.endsWith(";")) typed = "";
    if (statement !== null) transcript.line(await tellOne(sql, statement, options));
    prompt();
  };
  // One after the other: many lines may be pasted at once.
  let work = Promise.resolve();
  terminal.on("line", (line) => void (work = work.then(() => obey(line)).catch(fail)));
  // Ctrl-D. What was typed before is still carried out.
  terminal.on("close", () => {
    isOver = true;
    void work.then(close);
  });
  terminal.on("SIGINT", () => {
    sql.stop();
    typed = "";
    prompt();
  });
  prompt();
  await closed;
}

/** A statement that fails does not end the shell. */
async function tellOne(sql: SqlProcess, statement: string, options: SqlOptions): Promise<string> {
  try {
    return await runOne(sql, statement, options);
  } catch (error) {
    if (error instanceof StatementFailed) return error.message;
    throw error;
  }
}

function renderRows({ columns, rows, isComplete }: Table): string {
  const cells = rows.map((row) => row.map(renderValue));
  const end = isComplete ? [] : [`only the first ${rows.length} rows; --rows shows more`];
  return [renderTable([columns.map((name) => name.toUpperCase()), ...cells]), ...end].join("\n");
}

function renderJson({ columns, rows, isComplete }: Table): string {
  return JSON.stringify({ columns, rows: rows.map((row) => row.map(toJsonValue)), isComplete });
}
