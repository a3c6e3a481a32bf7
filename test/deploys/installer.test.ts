import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { openInstaller } from "../../app/deploys/installer.ts";

// What a run of run-deploy has left behind, where systemd says that its unit is over.
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "lifeboat-installer-"));
  writeFileSync(join(place, "systemctl"), "#!/bin/sh\necho inactive\n");
  chmodSync(join(place, "systemctl"), 0o755);
  vi.stubEnv("PATH", [place, process.env["PATH"]].join(delimiter));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true });
});

const leave = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
  return openInstaller(place).look();
};

test("what left its exit code has ended, with its words or without", async () => {
  expect(await leave({ code: "101\n", words: "lifeboat: going back\n" })).toEqual({
    state: "ended",
    code: 101,
    words: "lifeboat: going back",
  });
  rmSync(join(place, "words"));
  expect(await leave({ code: "0\n" })).toEqual({ state: "ended", code: 0, words: "" });
});

test.each([
  ["no file", {}],
  ["an empty one", { code: "", words: "" }],
  ["half of one", { code: "no", words: "" }],
])("what left no exit code (%s) was cut off, and is no success", async (_what, files) => {
  expect(await leave(files)).toEqual({ state: "gone" });
});
