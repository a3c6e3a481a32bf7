import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test, vi } from "vitest";

import { authenticateWith, parseTokens, parseTokensFile } from "../../app/http/tokens.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { startTestServer, type TestServer, tokenDigest } from "./test-server.ts";

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const entry = (name: string, token: string): string => `${name}:${digestOf(token)}`;

test("a token has the name it was given, or a stable one from its digest, and a rotated token keeps its name", () => {
  const authenticate = authenticateWith(parseTokens([entry("shop", "old"), entry("shop", "new"), digestOf("plain")]));
  expect(authenticate("Bearer old").principal).toBe("shop");
  expect(authenticate("Bearer new").principal).toBe("shop");
  expect(authenticate("Bearer plain").principal).toBe(`token-${digestOf("plain").slice(0, 12)}`);
});

test.each([
  ["one digest under two names", [entry("a", "x"), entry("b", "x")], "two names"],
  ["one digest with and without a name", [entry("a", "x"), digestOf("x")], "two names"],
  ["a name with a blank", [entry("a b", "x")], "entry 1"],
  ["a token in place of its digest", [digestOf("x"), "shop:the-token-itself"], "entry 2"],
  ["an empty name", [`:${digestOf("x")}`], "entry 1"],
])("%s is refused, and the entry is not repeated", (_, entries, words) => {
  expect(() => parseTokens(entries)).toThrow(words);
  expect(() => parseTokens(entries)).not.toThrow("the-token-itself");
});

test("a file holds one entry a line or with commas between, blank lines and notes", () => {
  const text = `# who may call\n${entry("a", "1")}, ${entry("b", "2")}\r\n\n  ${digestOf("3")}\n`;
  expect(parseTokensFile(text).map(({ principal }) => principal)).toEqual([
    "a",
    "b",
    `token-${digestOf("3").slice(0, 12)}`,
  ]);
  for (const empty of ["", "\n# nobody\n"]) expect(() => parseTokensFile(empty)).toThrow("no token");
});

test("the same Idempotency-Key of two principals is two writes, and a rotated token replays", async () => {
  const tokenDigests = [entry("shop", "s1"), entry("shop", "s2"), entry("desk", "d1")];
  await using server = await startTestServer({ tokenDigests });
  const headers = { "idempotency-key": "payment-0001" };
  const write = (token: string, title: string) =>
    server.call("POST", "/pages", { body: { title }, headers: { ...headers, ...bearer(token) } });
  const first = await write("s1", "shop");
  const other = await write("d1", "desk");
  expect([first.status, other.status, other.headers["idempotency-replayed"]]).toEqual([201, 201, undefined]);
  const replay = await write("s2", "shop");
  expect([replay.headers["idempotency-replayed"], replay.body]).toEqual(["true", first.body]);
});

test("the request's line names the principal, and neither token nor digest", async () => {
  await using server = await startTestServer({ tokenDigests: [entry("shop", "s1"), tokenDigest] });
  await server.call("GET", "/pages", { headers: bearer("s1") });
  await server.call("GET", "/pages");
  await server.call("GET", "/pages", { headers: bearer("wrong") });
  const lines = server.log.filter((line) => line.includes("request answered")).map((line) => JSON.parse(line));
  expect(lines.map(({ principal }) => principal)).toEqual(["shop", `token-${tokenDigest.slice(0, 12)}`, undefined]);
  expect(server.log.join("")).not.toContain(tokenDigest);
});

test("tokens from a file change without a restart, and a damaged file keeps the old ones", async () => {
  using directory = makeTemporaryDirectory();
  const tokensFile = join(directory.path, "tokens");
  await writeFile(tokensFile, entry("shop", "s1"));
  await using server = await startTestServer({ tokenDigests: [], tokensFile });
  expect(await statusFor(server, "s1")).toBe(200);
  await writeFile(`${tokensFile}.new`, entry("shop", "s2"));
  await rename(`${tokensFile}.new`, tokensFile);
  await vi.waitFor(async () => expect(await statusFor(server, "s2")).toBe(200), 20_000);
  expect(await statusFor(server, "s1")).toBe(401);
  await writeFile(tokensFile, "s3-given-in-place-of-its-digest");
  await vi.waitFor(() => expect(server.log.join("")).toContain("cannot be used"), 20_000);
  expect(await statusFor(server, "s2")).toBe(200);
  expect(server.log.join("")).not.toContain("s3-given");
  expect(server.log.filter((line) => line.includes("cannot be used"))).toHaveLength(1);
});

test("what became of a file of tokens is reported beside its SHA-256: taken, damaged, gone, and back again", async () => {
  using directory = makeTemporaryDirectory();
  const [tokensFile, tokensReport] = [join(directory.path, "tokens"), join(directory.path, "report")];
  const reported = (words: string) =>
    vi.waitFor(async () => expect(await readFile(tokensReport, "utf8")).toMatch(new RegExp(words)), 20_000);
  const sound = entry("shop", "s1");
  await writeFile(tokensFile, sound);
  await using server = await startTestServer({ tokenDigests: [], tokensFile, tokensReport });
  expect(await readFile(tokensReport, "utf8")).toBe(`${digestOf(sound)} taken\n`);
  await writeFile(tokensFile, "damaged");
  await reported(`^${digestOf("damaged")} .*entry 1 is neither`);
  // The same fault in another file must be reported too: its sender waits for that file's SHA-256.
  await writeFile(`${tokensFile}.new`, "damaged-again");
  await rename(`${tokensFile}.new`, tokensFile);
  await reported(`^${digestOf("damaged-again")} .*entry 1 is neither`);
  expect(server.log.filter((line) => line.includes("cannot be used"))).toHaveLength(1);
  await rename(tokensFile, `${tokensFile}.away`);
  await reported("^unread ENOENT");
  await writeFile(tokensFile, sound);
  await reported(`^${digestOf(sound)} taken\n$`);
  expect(await statusFor(server, "s1")).toBe(200);
});

test("SIGHUP reads the tokens at once, and the server lets go of the signal when it closes", async () => {
  using directory = makeTemporaryDirectory();
  const tokensFile = join(directory.path, "tokens");
  await writeFile(tokensFile, entry("shop", "s1"));
  const before = process.listenerCount("SIGHUP");
  {
    await using server = await startTestServer({ tokenDigests: [], tokensFile });
    await writeFile(tokensFile, entry("shop", "s2"));
    process.emit("SIGHUP");
    expect(await statusFor(server, "s2")).toBe(200);
  }
  expect(process.listenerCount("SIGHUP")).toBe(before);
});

async function statusFor(server: TestServer, token: string): Promise<number> {
  return (await server.call("GET", "/pages", { headers: bearer(token) })).status;
}
