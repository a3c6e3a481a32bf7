import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import ts from "typescript";
import { expect, test } from "vitest";

import { openLog, type Log } from "../app/log.ts";

type Call = { level: string; fields: string[]; message: string | null; where: string };

const levels = new Set(["trace", "debug", "info", "warn", "error", "fatal"]);
const appDirectory = join(dirname(import.meta.dirname), "app");

/** Words of a fault. A message with one of them must not be `info`. */
const faultWords =
  /\b(?:fail\w*|fault\w*|not|cannot|no|never|nothing|broken|damaged|lost|refused?|fenced|superseded|stuck|interrupted|too|waiting|unreachable)\b/i;

test("every log line about a fault is at warn or above, and every message is constant", () => {
  const calls = globSync("**/*.ts", { cwd: appDirectory }).flatMap(readLogCalls);
  expect(calls.length, "lines that were looked at").toBeGreaterThan(40);
  expect(calls.filter(({ message }) => message === null)).toEqual([]);
  const quiet = calls.filter(({ level }) => level === "info" || level === "debug" || level === "trace");
  expect(quiet.length, "lines without a fault").toBeGreaterThan(10);
  expect(quiet.filter(({ message }) => faultWords.test(message ?? ""))).toEqual([]);
  expect(quiet.filter(({ fields }) => fields.includes("cause") || fields.includes("err"))).toEqual([]);
});

test("each message has one level", () => {
  const seen = new Map<string, string>();
  for (const { level, message, where } of globSync("**/*.ts", { cwd: appDirectory }).flatMap(readLogCalls)) {
    const before = seen.get(message ?? "") ?? level;
    expect(before, `${message} in ${where}`).toBe(level);
    seen.set(message ?? "", level);
  }
});

test("fields that name a cause do not compile as info", () => {
  const lines: string[] = [];
  const log: Log = openLog("info", { write: (line) => lines.push(line) });
  log.info({ epoch: "0001-test" }, "epoch is living");
  log.warn({ cause: "the store is away" }, "not replicated, trying again");
  // @ts-expect-error: what has a cause is a fault.
  log.info({ cause: "the store is away" }, "not replicated, trying again");
  // @ts-expect-error: an error is a fault.
  log.info({ err: new Error("the store is away") }, "not replicated, trying again");
  expect(lines.map((line) => JSON.parse(line)).slice(0, 2)).toMatchObject([
    { level: 30, epoch: "0001-test", msg: "epoch is living" },
    { level: 40, cause: "the store is away", msg: "not replicated, trying again" },
  ]);
});

/** The calls `….log.level(fields, message)` of a file. */
function readLogCalls(path: string): Call[] {
  const source = ts.createSourceFile(
    path,
    readFileSync(join(appDirectory, path), "utf8"),
    ts.ScriptTarget.Latest,
    true,
  );
  const calls: Call[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression: receiver, name } = node.expression;
      if (levels.has(name.text) && /(?:^|[.#])log$/.test(receiver.getText()))
        calls.push(describe(node, name.text, path));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return calls;
}

function describe(call: ts.CallExpression, level: string, path: string): Call {
  const [fields, message] = call.arguments;
  const names = fields !== undefined && ts.isObjectLiteralExpression(fields) ? fields.properties : [];
  return {
    level,
    fields: names.flatMap((property) => property.name?.getText() ?? []),
    message: message !== undefined && ts.isStringLiteral(message) ? message.text : null,
    where: path,
  };
}
