import { expect, test } from "vitest";

import { UsageError } from "../../../app/cli/flags.ts";
import { readArguments } from "../../../scripts/up/arguments.ts";

test("without words nothing is approved", () => {
  const options = readArguments([]);
  expect(options).toMatchObject({ yes: false, dryRun: false, rebuild: false, approveReplacement: false });
  expect(options.withoutFinalSync).toBe(false);
  expect([options.stack, options.location, options.adopt]).toEqual([undefined, undefined, undefined]);
});

test("every flag is read", () => {
  const words =
    "--stack acme/lifeboat/staging --yes --dry-run --location hel1 --rebuild --approve-replacement --without-final-sync";
  expect(readArguments(words.split(" "))).toMatchObject({
    stack: "acme/lifeboat/staging",
    yes: true,
    dryRun: true,
    location: "hel1",
    rebuild: true,
    approveReplacement: true,
    withoutFinalSync: true,
  });
});

test("an up builds what is here, unless it is told not to", () => {
  expect([readArguments([]).build, readArguments(["--no-build"]).build]).toEqual([true, false]);
});

test("a location that does not exist is answered with those that do", () => {
  expect(() => readArguments(["--location", "mars"])).toThrow("fsn1, nbg1, hel1, ash, hil, sin");
});

test("an adoption is read with all that it may be given", () => {
  const words =
    "--adopt a-bucket --region auto --endpoint https://s3.example.test --ssh-key id.pub --admin-cidr ::1/128";
  expect(readArguments(words.split(" ")).adopt).toEqual({
    bucket: "a-bucket",
    region: "auto",
    endpoint: "https://s3.example.test",
    sshKeyFile: "id.pub",
    adminCidr: "::1/128",
  });
});

test.each([
  [["--locaton", "hel1"], "--locaton"],
  [["production"], "production"],
  [["--location", "mars"], "--location"],
  [["--location"], "--location"],
  [["--stack", "a b"], "--stack"],
  [["--yes=no"], "--yes"],
  [["--region", "auto"], "--adopt"],
  [["--ssh-key", "id.pub"], "--adopt"],
  [["--adopt", "A_Bucket"], "--adopt"],
  [["--adopt", "a-bucket", "--endpoint", "s3.example.test"], "--endpoint"],
  [["--adopt", "a-bucket", "--endpoint", "https://s3.example.test/path"], "--endpoint"],
  [["--adopt", "a-bucket", "--admin-cidr", "203.0.113.7"], "--admin-cidr"],
  [["--adopt", "a-bucket", "--rebuild"], "--rebuild"],
  [["--adopt", "a-bucket", "--without-final-sync"], "--without-final-sync"],
])("%j is refused with a message that names %s", (words, name) => {
  expect(() => readArguments(words)).toThrow(UsageError);
  expect(() => readArguments(words)).toThrow(name);
});
