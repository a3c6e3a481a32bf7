import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { openSettings } from "../../app/deploys/open-settings.ts";
import { nameSealed, seal, settingsObject, unseal } from "../../app/deploys/sealed-settings.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { renderEnvironmentLines } from "../../cloud-init/machine-files.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { makeBucket } from "../infra/limited-key.ts";

const key = "5ea1".repeat(16);
const name = "boats";
let store: SeaweedStore;
let directory: string;

beforeAll(async () => {
  store = await startSeaweedStore();
  await makeBucket(store.access, name);
  await bucket().put("lifeboat.json", "{}");
  return () => store[Symbol.asyncDispose]();
}, 60_000);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-settings-"));
  writeFileSync(join(directory, "environment"), linesWith(store.access.secretAccessKey));
  writeFileSync(join(directory, "settings-key"), `${key}\n`);
});
afterEach(() => rmSync(directory, { recursive: true }));

const bucket = () => openBucket({ ...store.access, bucket: name });
const open = (sha256: string) =>
  openSettings(sha256, {
    settings: join(directory, "environment"),
    settingsKey: join(directory, "settings-key"),
    limitMs: 100,
  });

function linesWith(secretAccessKey: string): string {
  return renderEnvironmentLines({
    LIFEBOAT_BUCKET: name,
    LIFEBOAT_REGION: store.access.region,
    LIFEBOAT_ENDPOINT: store.access.endpoint ?? "",
    LIFEBOAT_PATH_STYLE: "true",
    LITESTREAM_ACCESS_KEY_ID: store.access.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey,
  });
}

async function putSealed(text: string, sealedWith = key): Promise<string> {
  const sealed = seal(text, sealedWith);
  await bucket().put(settingsObject(nameSealed(sealed)), sealed);
  return nameSealed(sealed);
}

test("what was sealed is opened with the same key only, and nothing of it is readable or the same twice", () => {
  const text = "LITESTREAM_SECRET_ACCESS_KEY='s3cret'\n# tokens\n";
  const sealed = seal(text, key);
  expect(unseal(sealed, key)).toBe(text);
  expect(Buffer.from(sealed, "base64").toString("latin1")).not.toContain("s3cret");
  expect(seal(text, key)).not.toBe(sealed);
  expect(() => unseal(sealed, "0".repeat(64))).toThrow(/authenticate/);
});

test.each([0, 11, 12, 27, 28, 40])("a byte that was changed at %i is noticed", (at) => {
  const bytes = Buffer.from(seal("some settings that are long enough", key), "base64");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  expect(() => unseal(bytes.toString("base64"), key)).toThrow(/authenticate/);
});

test("settings come out of the bucket as they went in, with a key that it accepts", async () => {
  const text = linesWith(store.access.secretAccessKey);
  expect(await open(await putSealed(text))).toBe(text);
});

test("settings with a key that the bucket does not accept would cut the machine off, and are refused", async () => {
  const opening = open(await putSealed(linesWith("another")));
  await expect(opening).rejects.toThrow(`does not accept key ${store.access.accessKeyId}`);
  await expect(opening).rejects.toMatchObject({ next: expect.stringContaining("run up again") });
});

test("settings that were sealed for another machine are refused with a way out", async () => {
  const opening = open(await putSealed("x", "0".repeat(64)));
  await expect(opening).rejects.toThrow("sealed with another key");
  await expect(opening).rejects.toMatchObject({ next: expect.stringContaining("--rebuild") });
});

test("an object under another one's name is refused", async () => {
  const named = await putSealed(linesWith(store.access.secretAccessKey));
  await bucket().put(settingsObject(named), seal("others", key));
  await expect(open(named)).rejects.toThrow("has another SHA-256");
});

test("a machine without the key says how it gets one", async () => {
  rmSync(join(directory, "settings-key"));
  await expect(open("0".repeat(64))).rejects.toMatchObject({ next: expect.stringContaining("npm run up once") });
});

test("settings that are not there are a fault of the bucket", async () => {
  await expect(open("0".repeat(64))).rejects.toThrow(/missing|NoSuchKey|404/);
});
