import { expect, test } from "vitest";

import { journalWords, logsCommand, renderEntry } from "../../app/verbs/logs.ts";

const entry = (message: unknown, unit: object = { _SYSTEMD_UNIT: "app.service" }) =>
  JSON.stringify({ __REALTIME_TIMESTAMP: "1764064799000000", ...unit, MESSAGE: message });

test("a line of the app's log is told with its own time and its fields, the next step too", () => {
  const line = JSON.stringify({
    level: 50,
    time: 1_764_064_740_000,
    pid: 7,
    cause: "full",
    next: "df -h",
    msg: "refused",
  });
  expect(renderEntry(entry(line))).toBe("2025-11-25 09:59:00 app        error refused  cause=full  next=df -h");
});

test("any other line is told with the time of the journal, and systemd's own with the unit that it speaks of", () => {
  expect(renderEntry(entry("Started.", { _SYSTEMD_UNIT: "init.scope", UNIT: "lifeboat-deploys.service" }))).toBe(
    "2025-11-25 09:59:59 deploys    Started.",
  );
  expect(renderEntry(entry([104, 105]))).toBe("2025-11-25 09:59:59 app        hi");
  expect(renderEntry(entry(null))).toContain("(too long)");
});

test("what is asked of the journal is one unit or all of ours, and a time in its own words", () => {
  expect(words("deploys", "--follow")).toEqual([
    "--unit=lifeboat-deploys",
    "--no-pager",
    "--output=json",
    "--lines=50",
    "--follow",
  ]);
  expect(words().filter((word) => word.startsWith("--unit=")).length).toBeGreaterThan(6);
  expect(words("--since", "2025-11-25T09:59Z", "--lines", "7")).toContain("--since=@1764064740");
});

function words(...typed: string[]): string[] {
  return journalWords(logsCommand.readArguments(typed));
}
