import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { CertificateCopy, copyKey, putCertificatesBack, youngKeyMs } from "../../app/edge/certificate-copy.ts";
import { listHeld, readStorage, writeStorage } from "../../app/edge/certificate-storage.ts";
import { BucketError } from "../../app/replica/bucket-error.ts";
import { recordLog } from "../recorded-log.ts";
import { addCertificate, issuer } from "./stored-certificate.ts";

const directory = "https://acme-v02.api.letsencrypt.org/directory";

function makeStorage(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "lifeboat-certificates-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** One object, and what was done to it. */
class CopyBucket {
  text: string | null = null;
  puts = 0;
  /** Thrown by the next calls, the first one first. */
  readonly faults: Error[] = [];

  async put(key: string, text: string): Promise<string> {
    this.#fail();
    expect(key).toBe(copyKey);
    this.puts += 1;
    this.text = text;
    return "etag";
  }

  async get(): Promise<{ text: string; etag: string }> {
    return { text: this.text ?? "", etag: "etag" };
  }

  async *list(): AsyncGenerator<string> {
    this.#fail();
    if (this.text !== null) yield copyKey;
  }

  #fail(): void {
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
  }
}

const stem = (name: string, ending: string) => `${issuer}/${name}/${name}.${ending}`;

const putBack = async (bucket: CopyBucket, storage: string) => {
  const { log, logged } = recordLog();
  return { how: await putCertificatesBack({ bucket, storage, log }), logged };
};

test("a copy gives an empty storage the same certificates; one that has its own keeps them", async () => {
  using first = makeStorage();
  using second = makeStorage();
  const bucket = new CopyBucket();
  await addCertificate(first.path, "app.example.com");
  mkdirSync(join(first.path, "locks"));
  writeFileSync(join(first.path, "locks/issue.lock"), "");
  await new CertificateCopy(bucket, recordLog().log).copy(readStorage(first.path));
  expect((await putBack(bucket, second.path)).how).toBe("put back");
  expect(readStorage(second.path)).toEqual(readStorage(first.path));
  expect([...listHeld(readStorage(second.path), directory, Date.now())]).toEqual(["app.example.com"]);
  expect((await putBack(bucket, second.path)).how).toBe("kept");
});

test("nothing is copied twice, nor a certificate whose key is not there yet or is another's", async () => {
  using storage = makeStorage();
  const bucket = new CopyBucket();
  const copy = new CertificateCopy(bucket, recordLog().log);
  await copy.copy(readStorage(storage.path));
  expect(bucket.puts).toBe(0);
  await addCertificate(storage.path, "one.example.com");
  await addCertificate(storage.path, "two.example.com");
  const files = readStorage(storage.path);
  const [one = "", two = ""] = ["one", "two"].map((name) => `${issuer}/${name}.example.com/${name}.example.com.key`);
  await copy.copy(files.filter(({ path }) => path !== one));
  const swapped = files.map((file) =>
    file.path === one ? { ...file, path: two } : file.path === two ? { ...file, path: one } : file,
  );
  await copy.copy(swapped);
  expect(bucket.puts).toBe(0);
  await copy.copy(files);
  await copy.copy(files);
  expect(bucket.puts).toBe(1);
});

test("a store that is away, or that does not know the key yet, is waited for; an empty bucket is none", async () => {
  using storage = makeStorage();
  const bucket = new CopyBucket();
  bucket.faults.push(
    new BucketError("unreachable", "LIST", { detail: "503" }),
    new BucketError("key-refused", "LIST", { detail: "AccessDenied" }),
  );
  const { how, logged } = await putBack(bucket, storage.path);
  expect({ how, faults: bucket.faults }).toEqual({ how: "none", faults: [] });
  expect(JSON.stringify(logged)).toContain("waiting for the store");
});

test("a key that stays refused is given up, and told; whoever waits for Caddy waits much longer than that", async () => {
  using storage = makeStorage();
  const bucket = new CopyBucket();
  const refusal = new BucketError("key-refused", "LIST", { detail: "AccessDenied" });
  bucket.faults.push(refusal, refusal, refusal);
  const { log, logged } = recordLog();
  expect(await putCertificatesBack({ bucket, storage: storage.path, log, youngKeyLimitMs: 300 })).toBe("none");
  expect(JSON.stringify(logged)).toContain("cannot be put back");

  const script = readFileSync(join(import.meta.dirname, "../../cloud-init/release/bin/serve-edge"), "utf8");
  const [, tries] = /tries -gt (\d+)[^]*sleep 0\.5/.exec(script) ?? [];
  expect(youngKeyMs).toBeLessThanOrEqual((Number(tries) * 500) / 2);
});

test.each([
  ["no JSON", "{"],
  [
    "a file outside of the storage",
    JSON.stringify({ format: 1, at: "", files: [{ path: "acme/../../x.key", text: "" }] }),
  ],
  ["half a certificate", JSON.stringify({ format: 1, at: "", files: [{ path: `${issuer}/a/a.crt`, text: "cut" }] })],
])(
  "a copy that cannot be used (%s) is told, nothing of it is written, and new certificates are ordered",
  async (_what, text) => {
    using storage = makeStorage();
    const bucket = new CopyBucket();
    bucket.text = text;
    const { how, logged } = await putBack(bucket, storage.path);
    expect(how).toBe("none");
    expect(JSON.stringify(logged)).toContain("cannot be put back");
    expect(readStorage(storage.path)).toEqual([]);
  },
);

test.each([
  ["a certificate beside the key of the next one", "key", (text: string) => text],
  ["a certificate that was cut off", "crt", () => ""],
  ["what Caddy notes of a certificate, cut off", "json", () => ""],
])("%s is put back from the copy, beside those that are whole", async (_what, ending, damage) => {
  using storage = makeStorage();
  using other = makeStorage();
  const bucket = new CopyBucket();
  for (const name of ["app.example.com", "203.0.113.7.example.com"]) await addCertificate(storage.path, name);
  writeFileSync(join(storage.path, stem("app.example.com", "json")), "{}");
  const whole = readStorage(storage.path);
  await new CertificateCopy(bucket, recordLog().log).copy(whole);
  await addCertificate(other.path, "app.example.com");
  const damaged = join(storage.path, stem("app.example.com", ending));
  const source = ending === "key" ? join(other.path, stem("app.example.com", ending)) : damaged;
  writeFileSync(damaged, damage(readFileSync(source, "utf8")));
  expect((await putBack(bucket, storage.path)).how).toBe("put back");
  expect(readStorage(storage.path)).toEqual(whole);
});

test("a damaged certificate is removed when there is no copy, so that Caddy orders; whole ones stay", async () => {
  using storage = makeStorage();
  for (const name of ["app.example.com", "www.example.com"]) await addCertificate(storage.path, name);
  writeFileSync(join(storage.path, stem("www.example.com", "crt")), "cut");
  const { how, logged } = await putBack(new CopyBucket(), storage.path);
  expect(how).toBe("none");
  expect(JSON.stringify(logged)).toContain("damaged");
  expect(readStorage(storage.path).map(({ path }) => path)).toEqual(
    ["crt", "key"].map((ending) => stem("app.example.com", ending)),
  );
});

test("a damaged certificate goes also where the copy has it damaged, too, and nothing else", async () => {
  using storage = makeStorage();
  await addCertificate(storage.path, "app.example.com");
  writeFileSync(join(storage.path, stem("app.example.com", "json")), "{ cut");
  const bucket = new CopyBucket();
  bucket.text = JSON.stringify({ format: 1, at: "before", files: readStorage(storage.path) });
  expect((await putBack(bucket, storage.path)).how).toBe("none");
  expect(readStorage(storage.path)).toEqual([]);
});

test("a copy that was cut off while it was put back is put back whole the next time", async () => {
  using storage = makeStorage();
  using source = makeStorage();
  await addCertificate(source.path, "app.example.com");
  mkdirSync(join(storage.path, "putting-back", issuer), { recursive: true });
  writeFileSync(join(storage.path, "putting-back", issuer, "half.crt"), "cut");
  writeStorage(storage.path, readStorage(source.path));
  expect(readStorage(storage.path)).toEqual(readStorage(source.path));
});
