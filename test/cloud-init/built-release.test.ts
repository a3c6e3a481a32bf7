import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import {
  findBuiltRelease,
  findReadableNote,
  platformOf,
  releaseNote,
  UnreadableNote,
  writeReleaseNote,
} from "../../cloud-init/built-release.ts";
import { readRelease } from "../../infra/components/read-release.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lifeboat-note-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const note = { sha256: "a".repeat(64), bytes: 5, path: ".release/a.tar.gz", content: "b".repeat(64) };

test.each(["cx23", "cx33", "cpx32", "ccx23"])("%s is a machine for the release of x64", (serverType) => {
  expect(platformOf(serverType)).toBe("linux-x64");
});

test.each(["cax11", "cax21", "cax41"])("%s is a machine for the release of arm64", (serverType) => {
  expect(platformOf(serverType)).toBe("linux-arm64");
});

test("what is written is read, and nothing else is left in the folder", () => {
  expect(findBuiltRelease("linux-x64", folder)).toBeUndefined();
  writeReleaseNote("linux-x64", folder, note);
  expect(findBuiltRelease("linux-x64", folder)).toMatchObject({ sha256: note.sha256 });
  expect(findReadableNote("linux-x64", folder)).toEqual(note);
  expect(readdirSync(folder)).toEqual(["latest-linux-x64.json"]);
});

const whole = JSON.stringify(note, null, 2);
test.each(["", whole.slice(0, 1), whole.slice(0, 40), whole.slice(0, -1), "null", "{}", whole.replace("aaa", "zzz")])(
  "a note that was cut off or overwritten (%j) is none for a build, and an error with its file and the command otherwise",
  (text) => {
    const file = releaseNote("linux-arm64", folder);
    writeFileSync(file, text);
    expect(findReadableNote("linux-arm64", folder)).toBeUndefined();
    const said = `${file} does not say which release was built; write it anew: npm run build -- --platform linux-arm64`;
    expect(() => findBuiltRelease("linux-arm64", folder)).toThrow(new UnreadableNote(said));
    expect(() => readRelease("linux-arm64", folder)).toThrow(said);
  },
);
