import { expect, test } from "vitest";

import { CommandFailed, WriteOutcomeUnknown } from "../../app/database/write-outcome.ts";
import { startTestServer } from "./test-server.ts";

const body = { title: "ada" };

test("a full queue answers 503 with Retry-After, and what was refused is not stored", async () => {
  await using server = await startTestServer({}, { queueLimit: 2 });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => server.call("POST", "/pages", { body: { ...body, title: `${index}` } })),
  );
  const refused = answers.filter((answer) => answer.status === 503);
  const stored = answers.filter((answer) => answer.status === 201);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length + stored.length).toBe(30);
  for (const answer of refused) {
    expect(answer.body["type"]).toBe("urn:lifeboat:problem:queue-full");
    expect(answer.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  }
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(stored.length);
});

test("a WAL at its limit answers 503 with Retry-After and makes /ready refuse, while reads go on", async () => {
  await using server = await startTestServer({}, { walLimitBytes: 1 });
  const answer = await server.call("POST", "/pages", { body });
  expect([answer.status, answer.body["type"]]).toEqual([503, "urn:lifeboat:problem:wal-too-big"]);
  expect(answer.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  const ready = await server.call("GET", "/ready");
  expect([ready.status, ready.body["status"]]).toEqual([503, "refusing-writes"]);
  expect(ready.body["cause"]).toMatch(/^the WAL reached its limit, and writes are refused; the snapshot that keeps it/);
  expect((await server.call("GET", "/pages")).status).toBe(200);
});

test("a fenced machine writes nothing and is not ready", async () => {
  await using server = await startTestServer();
  server.writer.fence();
  server.replication.state = "fenced";
  const answer = await server.call("POST", "/pages", { body });
  expect([answer.status, answer.body["type"]]).toEqual([503, "urn:lifeboat:problem:fenced"]);
  expect((await server.call("GET", "/ready")).status).toBe(503);
  expect((await server.call("GET", "/up")).status).toBe(200);
});

test("a head that moved makes /ready refuse before the writer knows", async () => {
  await using server = await startTestServer();
  server.replication.state = "fenced";
  expect((await server.call("GET", "/ready")).status).toBe(503);
});

test.each([
  [null, 503, "not-replicated"],
  [59_000, 200, "ready"],
  [61_000, 503, "not-replicated"],
])("/ready?replicated=60s with a proof of age %s answers %d, and /ready alone 200", async (age, status, word) => {
  await using server = await startTestServer();
  server.replication.replicatedAgeMs = age;
  const answer = await server.call("GET", "/ready?replicated=60s");
  expect([answer.status, answer.body["status"]]).toEqual([status, word]);
  expect((await server.call("GET", "/ready")).status).toBe(200);
});

test.each(["", "60", "0s", "14s", "-60s", "1.5m", "60s%20", "1d"])(
  "/ready?replicated=%s is a caller's mistake, not a 200",
  async (text) => {
    await using server = await startTestServer();
    const answer = await server.call("GET", `/ready?replicated=${text}`);
    expect([answer.status, answer.body["type"]]).toEqual([400, "urn:lifeboat:problem:invalid-request"]);
  },
);

test("an unknown outcome says so and how to go on; a failed command tells no internals", async () => {
  await using server = await startTestServer();
  server.server.get("/unknown", () => Promise.reject(new WriteOutcomeUnknown(new Error("SQLITE_IOERR"))));
  server.server.get("/failed", () => Promise.reject(new CommandFailed("add-page", "SQLITE_IOERR")));
  const unknown = await server.call("GET", "/unknown");
  expect([unknown.status, unknown.body["type"]]).toEqual([500, "urn:lifeboat:problem:outcome-unknown"]);
  expect(unknown.body["detail"]).toContain("same Idempotency-Key");
  const failed = await server.call("GET", "/failed");
  expect([failed.status, failed.body["type"]]).toEqual([500, "urn:lifeboat:problem:internal-error"]);
  expect(unknown.text + failed.text).not.toContain("SQLITE");
});

test("/ready answers 200 while the epoch opens and tells what a watcher needs", async () => {
  await using server = await startTestServer();
  Object.assign(server.replication, { state: "opening", replicatedAgeMs: null, uploadProgress: "base of 300 MB" });
  const { status, body: ready } = await server.call("GET", "/ready");
  expect(status).toBe(200);
  expect(ready).toEqual({
    status: "ready",
    state: "opening",
    epoch: "0001-test",
    fence: "enforced",
    replicatedAgeMs: null,
    uploadProgress: "base of 300 MB",
    walBytes: expect.any(Number),
    queueLength: 0,
    oldestWriteMs: null,
    replicaFault: null,
  });
});
