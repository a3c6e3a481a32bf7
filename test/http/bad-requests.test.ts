import { expect, test } from "vitest";

import { addPage } from "./example-page.ts";
import { startTestServer } from "./test-server.ts";

const page = { title: "Ada" };

test("what is not JSON is refused: malformed 400, oversized 413, another content type 415", async () => {
  await using server = await startTestServer();
  for (const body of ["{", "", "[1,", '{"__proto__":{"name":"x"}}', "\u0000"]) {
    const malformed = await server.call("POST", "/pages", { body });
    expect([malformed.status, malformed.body["type"]], body).toEqual([400, "urn:lifeboat:problem:malformed-json"]);
  }
  const oversized = await server.call("POST", "/pages", { body: { ...page, title: "x".repeat(1024 * 1024) } });
  expect([oversized.status, oversized.body["type"]]).toEqual([413, "urn:lifeboat:problem:body-too-large"]);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "nonsense"]) {
    const other = await server.call("POST", "/pages", { body: "name=Ada", headers: { "content-type": type } });
    expect(other.status, type).toBe(415);
    expect(other.headers["content-type"]).toMatch(/^application\/problem\+json/);
  }
});

test("a body of the wrong shape answers 400 with each field that is wrong", async () => {
  await using server = await startTestServer();
  const body = { title: 5, "a/b~c": true };
  const answer = await server.call("POST", "/pages", { body, headers: { "x-request-id": "req-1" } });
  expect(answer.status).toBe(400);
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(answer.headers["request-id"]).toBe("req-1");
  expect(answer.body).toMatchObject({
    type: "urn:lifeboat:problem:invalid-request",
    title: "Invalid request",
    status: 400,
    instance: "req-1",
  });
  expect(answer.body["errors"]).toEqual(
    expect.arrayContaining([
      { in: "body", pointer: "/a~1b~0c", message: "is unknown" },
      { in: "body", pointer: "/title", message: "must be string" },
    ]),
  );
  expect(answer.body["errors"]).toHaveLength(2);
  const missing = await server.call("POST", "/pages", { body: {} });
  expect(missing.body["errors"]).toEqual([{ in: "body", pointer: "/title", message: "is missing" }]);
});

test("unknown keys are refused and not dropped, in bodies and in query strings", async () => {
  await using server = await startTestServer();
  const bodies = [
    { ...page, admin: true },
    { ...page, Title: "x" },
  ];
  for (const body of bodies) expect((await server.call("POST", "/pages", { body })).status).toBe(400);
  expect((await server.call("GET", "/pages?curser=x")).status).toBe(400);
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
  const path = `/pages/${await addPage(server)}/publication`;
  for (const body of [{ amount: 1 }, [], "5", "true"]) {
    expect((await server.call("POST", path, { body })).status, JSON.stringify(body)).toBe(400);
  }
});

test("an unknown Durability and a bad Idempotency-Key answer 400, and nothing is stored", async () => {
  await using server = await startTestServer();
  for (const durability of ["eventual", "DISK", "", "disk, bucket"]) {
    const answer = await server.call("POST", "/pages", { body: page, headers: { durability } });
    expect([answer.status, answer.body["type"]], durability).toEqual([400, "urn:lifeboat:problem:invalid-durability"]);
  }
  for (const key of ["", "short", "x".repeat(201), "with space in it", "schlüssel-1"]) {
    const answer = await server.call("POST", "/pages", { body: page, headers: { "idempotency-key": key } });
    expect([answer.status, answer.body["type"]], key).toEqual([400, "urn:lifeboat:problem:invalid-idempotency-key"]);
  }
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
});

test("paths and methods that nothing serves answer 404, a broken URL 400, each as a problem", async () => {
  await using server = await startTestServer();
  const unknown = [await server.call("GET", "/nothing"), await server.call("PUT", "/pages", { body: page })];
  for (const answer of unknown)
    expect([answer.status, answer.body["type"]]).toEqual([404, "urn:lifeboat:problem:no-such-route"]);
  const broken = await server.call("GET", "/pages/%E0%A4%A");
  expect([broken.status, broken.body["type"]]).toEqual([400, "urn:lifeboat:problem:malformed-request"]);
  expect(broken.headers["request-id"]).toBe(broken.body["instance"]);
  expect((await server.call("GET", `/pages/${"x".repeat(500)}`)).status).toBe(414);
});

test("an unforeseen failure answers 500 without internals, and its cause is in the log", async () => {
  await using server = await startTestServer();
  server.server.get("/broken", () => Promise.reject(new Error("SELECT secret FROM internals")));
  const { status, text } = await server.call("GET", "/broken");
  expect(status).toBe(500);
  expect(text).toContain("urn:lifeboat:problem:internal-error");
  expect(text).not.toContain("internals");
  expect(server.log.join("")).toContain("SELECT secret FROM internals");
});
