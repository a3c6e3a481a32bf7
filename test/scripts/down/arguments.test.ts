import { expect, test } from "vitest";

import { UsageError } from "../../../app/cli/flags.ts";
import { readArguments } from "../../../scripts/down/arguments.ts";

test("without words the sync is wanted and the data is kept", () => {
  expect(readArguments([])).toMatchObject({ yes: false, dryRun: false, withoutFinalSync: false, deleteData: false });
});

test("every flag is read", () => {
  const words = "--stack staging --yes --dry-run --without-final-sync --delete-data --bucket-name a-bucket";
  expect(readArguments(words.split(" "))).toEqual({
    stack: "staging",
    yes: true,
    dryRun: true,
    withoutFinalSync: true,
    deleteData: true,
    bucketName: "a-bucket",
  });
});

test.each([
  [["--delete"], "--delete"],
  [["--bucket-name", "a-bucket"], "--delete-data"],
  [["--delete-data", "--bucket-name", ""], "--bucket-name"],
  [["--delete-data=yes"], "--delete-data"],
  [["everything"], "everything"],
])("%j is refused with a message that names %s", (words, name) => {
  expect(() => readArguments(words)).toThrow(UsageError);
  expect(() => readArguments(words)).toThrow(name);
});
