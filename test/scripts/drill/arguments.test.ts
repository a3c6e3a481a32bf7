import { expect, test } from "vitest";

import { UsageError } from "../../../app/cli/flags.ts";
import { readArguments } from "../../../scripts/drill/arguments.ts";

const keys = { LITESTREAM_ACCESS_KEY_ID: "key", LITESTREAM_SECRET_ACCESS_KEY: "secret" };

test("without words the drill is small, unlimited, against its own store and has a seed", () => {
  const options = readArguments([], {});
  expect(options).toMatchObject({
    json: false,
    keep: false,
    rows: 0,
    sizeBytes: 0,
    loadMs: 0,
    store: null,
    storeLatencyMs: 0,
  });
  expect(options).toMatchObject({ maxRtoMs: null, maxRpoMs: null });
  expect(Number.isSafeInteger(options.seed)).toBe(true);
});

test("every flag is read with its unit", () => {
  const words =
    "--json --keep --rows 200000 --size 300MB --load 60s --seed 7 --max-rto 3s --max-rpo 1500ms --store-latency 20ms";
  expect(readArguments(words.split(" "), {})).toMatchObject({
    json: true,
    keep: true,
    rows: 200_000,
    sizeBytes: 300_000_000,
    loadMs: 60_000,
    seed: 7,
    maxRtoMs: 3000,
    maxRpoMs: 1500,
    storeLatencyMs: 20,
  });
});

test("another store takes its keys from the environment", () => {
  const words = ["--store", "https://s3.example.test", "--bucket", "b", "--region", "eu-central-1"];
  expect(readArguments(words, keys).store).toEqual({
    endpoint: "https://s3.example.test",
    region: "eu-central-1",
    bucket: "b",
    accessKeyId: "key",
    secretAccessKey: "secret",
  });
});

test.each([
  [["--rowz", "5"], "--rowz"],
  [["rows"], "rows"],
  [["--rows"], "--rows"],
  [["--rows", "many"], "--rows"],
  [["--rows=-5"], "--rows"],
  [["--rows", "1.5"], "--rows"],
  [["--size", "300mb"], "--size"],
  [["--size", "300 MB"], "--size"],
  [["--size", "300"], "--size"],
  [["--size", "99999999999GB"], "--size"],
  [["--load", "60"], "--load"],
  [["--max-rto", "3"], "--max-rto"],
  [["--max-rpo", "1500"], "--max-rpo"],
  [["--load", "sixty"], "--load"],
  [["--seed", "4294967296"], "--seed"],
  [["--max-rto", "3 s"], "--max-rto"],
  [["--max-rpo", ""], "--max-rpo"],
  [["--store-latency", "20"], "--store-latency"],
  [["--store-latency", "2s"], "--store-latency"],
  [["--store-latency", "20ms", "--store", "http://127.0.0.1:9000"], "--store-latency"],
  [["--bucket", "b"], "--store"],
  [["--region", "r"], "--store"],
  [["--store", "localhost:9000"], "--store"],
  [["--json=yes"], "--json"],
  [["--times", "5"], "--times"],
  [["--room", "machine", "--times", "0"], "--times"],
  [["--room", "machine", "--act", "kept", "--times", "5"], "--times"],
])("%j is refused with a message that names %s", (words, name) => {
  expect(() => readArguments(words, keys)).toThrow(UsageError);
  expect(() => readArguments(words, keys)).toThrow(name);
});

test("a store without its keys is refused with the variable's name", () => {
  const words = ["--store", "http://127.0.0.1:9000"];
  expect(() => readArguments(words, {})).toThrow("LITESTREAM_ACCESS_KEY_ID");
  expect(() => readArguments(words, { LITESTREAM_ACCESS_KEY_ID: "key" })).toThrow("LITESTREAM_SECRET_ACCESS_KEY");
});
