import { expect, test, vi } from "vitest";

import { openLog } from "../../app/log.ts";
import { startTestServer, token, tokenDigest } from "./test-server.ts";

const key = "a-key-that-is-a-secret";
const body = { title: "ada@private.example" };

test("a request is one line with its id, and neither token, key, digest, query nor body is in the log", async () => {
  await using server = await startTestServer();
  server.server.get("/broken", () => Promise.reject(Object.assign(new Error("broken"), { request: { token } })));
  const headers = { "idempotency-key": key, "x-request-id": "req-7", durability: "bucket" };
  server.replication.outcome = () => Promise.reject(new Error("the bucket is away"));
  await server.call("POST", "/pages", { body, headers });
  await server.call("GET", `/pages?token=${token}`);
  await server.call("GET", "/pages", { headers: { authorization: `Bearer ${token}x` } });
  await server.call("GET", "/broken");
  const log = server.log.join("");
  for (const secret of [token, key, tokenDigest, body.title]) expect(log).not.toContain(secret);
  const answered = server.log.filter((line) => line.includes("req-7") && line.includes("request answered"));
  expect(answered).toHaveLength(1);
  expect(JSON.parse(answered[0] ?? "")).toMatchObject({
    method: "POST",
    path: "/pages",
    status: 202,
    reqId: "req-7",
  });
  expect(log).toContain("committed, not replicated");
  expect(log).toContain(`"path":"/pages","client":"127.0.0.1","status":401`);
});

test.each([
  { what: "the proxy on this machine is believed", remoteAddress: "127.0.0.1", client: "203.0.113.9" },
  { what: "anybody else is not", remoteAddress: "198.51.100.4", client: "198.51.100.4" },
])("the log says who asked: $what", async ({ remoteAddress, client }) => {
  await using server = await startTestServer();
  const headers = { "x-forwarded-for": "203.0.113.9", authorization: `Bearer ${token}` };
  await server.server.inject({ url: "/pages", remoteAddress, headers });
  const line = server.log.find((text) => text.includes("request answered")) ?? "";
  expect(JSON.parse(line)).toMatchObject({ path: "/pages", client });
});

test("monitoring requests do not fill the log", async () => {
  await using server = await startTestServer();
  await server.call("GET", "/up");
  await server.call("GET", "/ready");
  expect(server.log.filter((line) => line.includes("request answered"))).toEqual([]);
});

test("secrets that somebody logs by mistake are censored", () => {
  const lines: string[] = [];
  const log = openLog("info", { write: (line) => lines.push(line) });
  const headers = { authorization: token, "idempotency-key": key, cookie: token };
  log.info(headers, "directly");
  log.info({ headers }, "one deep");
  log.info({ req: { headers } }, "two deep");
  const cause = Object.assign(new Error("the cause"), { headers });
  log.error({ err: new Error("the failure", { cause }) }, "in an error");
  expect(lines).toHaveLength(4);
  expect(lines.join("")).not.toContain(token);
  expect(lines.join("")).not.toContain(key);
  expect(lines[3]).toContain("the cause");
});

test("a secret is censored beside other fields, in a child's fields and in the store's credentials", () => {
  const lines: string[] = [];
  const log = openLog("info", { write: (line) => lines.push(line) });
  const fields = { before: 1, token, deep: { bucket: { name: "b", secretAccessKey: key } }, after: [2] };
  log.info(fields, "mixed");
  log.child({ authorization: token, reqId: "r" }).info({ count: 1 }, "child");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    before: 1,
    token: "[secret]",
    deep: { bucket: { name: "b", secretAccessKey: "[secret]" } },
    after: [2],
  });
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({ authorization: "[secret]", reqId: "r", count: 1 });
  expect(fields).toMatchObject({ token, deep: { bucket: { secretAccessKey: key } } });
});

test("a line without objects is handed on as it is, and its fields are not copied", () => {
  const seen = vi.spyOn(Object, "getPrototypeOf");
  const log = openLog("info", { write: () => true });
  seen.mockClear();
  log.info({ method: "GET", path: "/pages", status: 200, durationMs: 1.2 }, "request answered");
  const calls = seen.mock.calls.length;
  seen.mockRestore();
  expect(calls).toBe(0);
});

test("a caller's request id is kept when it is harmless, and replaced when it is not", async () => {
  await using server = await startTestServer();
  const kept = await server.call("GET", "/up", { headers: { "x-request-id": "trace-1:a.b" } });
  expect(kept.headers["request-id"]).toBe("trace-1:a.b");
  for (const id of ["", "a b", 'x"}', "x".repeat(101)]) {
    const replaced = await server.call("GET", "/up", { headers: { "x-request-id": id } });
    expect(replaced.headers["request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  }
});
