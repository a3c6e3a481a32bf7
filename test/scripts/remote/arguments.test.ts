import { expect, test } from "vitest";

import { UsageError } from "../../../app/cli/flags.ts";
import { sqlCommand } from "../../../app/verbs/sql.ts";
import { onLaptop } from "../../../scripts/remote/arguments.ts";

const command = onLaptop(sqlCommand);

test.each([
  [["select 1"], { stack: undefined, dev: false, words: ["select 1"] }],
  [["--stack", "prod", "select 1", "--json"], { stack: "prod", dev: false, words: ["select 1", "--json"] }],
  [["select 1", "--stack=me/kit/prod"], { stack: "me/kit/prod", dev: false, words: ["select 1"] }],
  [["--dev", "--rows", "7"], { stack: undefined, dev: true, words: ["--rows", "7"] }],
  [["--", "--dev"], { stack: undefined, dev: false, words: ["--", "--dev"] }],
])("%j says which machine, and what it is given", (words, options) => {
  expect(command.readArguments(words)).toEqual(options);
});

test.each([
  [["--rows", "many"], "--rows"],
  [["--no-such"], "--no-such"],
  [["--stack"], '--stack: "" does not look like'],
  [["--stack", "a b"], '--stack: "a b" does not look like'],
  [["--stack", "a", "--dev"], "--dev and --stack name two machines"],
])("%j is refused before any machine is reached", (words, cause) => {
  expect(() => command.readArguments(words)).toThrow(UsageError);
  expect(() => command.readArguments(words)).toThrow(cause);
});
