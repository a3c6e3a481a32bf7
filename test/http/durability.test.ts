import { expect, test, vi } from "vitest";

import { NotReplicated } from "../../app/replica/replication-options.ts";
import { addPage } from "./example-page.ts";
import { startTestServer } from "./test-server.ts";

const body = { title: "ada" };

test("the answer names the durability that was asked for and reached, and only `bucket` asks the replica", async () => {
  await using server = await startTestServer();
  for (const durability of ["commit", "disk", "bucket"]) {
    const page = { ...body, title: durability };
    const answer = await server.call("POST", "/pages", { body: page, headers: { durability } });
    expect([answer.status, answer.headers["durability"]]).toEqual([201, durability]);
  }
  expect(server.replication.replicateCalls).toBe(1);
});

test("without the header the configured default counts", async () => {
  await using server = await startTestServer({ defaultDurability: "bucket" });
  const answer = await server.call("POST", "/pages", { body });
  expect([answer.status, answer.headers["durability"]]).toEqual([201, "bucket"]);
  expect(server.replication.replicateCalls).toBe(1);
});

test("the replica is asked after the commit, and the answer waits for it", async () => {
  await using server = await startTestServer();
  const asked = Promise.withResolvers<void>();
  const replicated = Promise.withResolvers<void>();
  server.replication.outcome = () => {
    asked.resolve();
    return replicated.promise;
  };
  let answered = false;
  const pending = server
    .call("POST", "/pages", { body, headers: { durability: "bucket" } })
    .finally(() => (answered = true));
  await asked.promise;
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(1);
  expect(answered).toBe(false);
  replicated.resolve();
  expect((await pending).status).toBe(201);
});

test("a second write during a slow sync asks for itself, after its own commit", async () => {
  await using server = await startTestServer();
  const storedWhenAsked: unknown[] = [];
  const slow = Promise.withResolvers<void>();
  server.replication.outcome = async () => {
    const { body: list } = await server.call("GET", "/pages");
    storedWhenAsked.push(Array.isArray(list["items"]) && list["items"].length);
    await slow.promise;
  };
  const first = server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  await vi.waitUntil(() => storedWhenAsked.length === 1, { timeout: 10_000 });
  const secondBody = { ...body, title: "bob" };
  const second = server.call("POST", "/pages", { body: secondBody, headers: { durability: "bucket" } });
  await vi.waitUntil(() => storedWhenAsked.length === 2, { timeout: 10_000 });
  slow.resolve();
  expect([(await first).status, (await second).status]).toEqual([201, 201]);
  expect(storedWhenAsked).toEqual([1, 2]);
});

test("a write that misses the bucket answers 202 with what was reached and why, and is stored", async () => {
  await using server = await startTestServer();
  server.replication.outcome = () => Promise.reject(new NotReplicated("not in the bucket after 5000 ms:\r\nX-Evil: é"));
  const answer = await server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  expect([answer.status, answer.headers["durability"]]).toEqual([202, "disk"]);
  expect(answer.headers["lifeboat-not-replicated"]).toBe("not in the bucket after 5000 ms: X-Evil:");
  expect(answer.body).toMatchObject(body);
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([answer.body]);
});

test("a failure of the replica that nobody foresaw is a 202 without its internals", async () => {
  await using server = await startTestServer();
  server.replication.outcome = () => Promise.reject(new Error("secret internals"));
  const answer = await server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  expect([answer.status, answer.headers["lifeboat-not-replicated"]]).toEqual([202, "replication failed"]);
  expect(JSON.stringify(answer)).not.toContain("internals");
});

test("a replay waits for the bucket like a first write: 202 while it fails, then 201, and one page", async () => {
  await using server = await startTestServer();
  const headers = { durability: "bucket", "idempotency-key": "ada-signs-up" };
  server.replication.outcome = () => Promise.reject(new NotReplicated("the bucket is away"));
  const first = await server.call("POST", "/pages", { body, headers });
  expect([first.status, first.headers["idempotency-replayed"]]).toEqual([202, undefined]);
  const second = await server.call("POST", "/pages", { body, headers });
  expect([second.status, second.headers["idempotency-replayed"]]).toEqual([202, "true"]);
  server.replication.outcome = () => Promise.resolve();
  const third = await server.call("POST", "/pages", { body, headers });
  expect([third.status, third.headers["idempotency-replayed"]]).toEqual([201, "true"]);
  expect(third.headers["durability"]).toBe("bucket");
  expect(third.body).toEqual(first.body);
  expect(server.replication.replicateCalls).toBe(3);
  expect((await server.call("GET", "/pages")).body["items"]).toHaveLength(1);
});

test("a replay at `bucket` of a write that was made at `commit` asks the replica", async () => {
  await using server = await startTestServer();
  const key = { "idempotency-key": "ada-signs-up" };
  await server.call("POST", "/pages", { body, headers: { ...key, durability: "commit" } });
  expect(server.replication.replicateCalls).toBe(0);
  const replay = await server.call("POST", "/pages", { body, headers: { ...key, durability: "bucket" } });
  expect([replay.status, replay.headers["durability"]]).toEqual([201, "bucket"]);
  expect(server.replication.replicateCalls).toBe(1);
});

test("`bucket` is refused before anything is written while the base goes up; `disk` is not", async () => {
  await using server = await startTestServer();
  Object.assign(server.replication, {
    state: "opening",
    bucketRefusal: "the epoch is opening: base of 300 MB going up",
  });
  const refused = await server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  expect([refused.status, refused.body["type"]]).toEqual([503, "urn:lifeboat:problem:bucket-not-writable"]);
  expect(refused.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
  expect(refused.body["detail"]).toContain("base of 300 MB");
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
  expect((await server.call("POST", "/pages", { body, headers: { durability: "disk" } })).status).toBe(201);
});

test("an acknowledgement at `bucket` says when the fence behind it is only advisory", async () => {
  await using server = await startTestServer();
  const enforced = await server.call("POST", "/pages", { body, headers: { durability: "bucket" } });
  expect(enforced.headers["lifeboat-fence"]).toBeUndefined();
  server.replication.fence = "advisory";
  const second = { ...body, title: "grace" };
  const advisory = await server.call("POST", "/pages", { body: second, headers: { durability: "bucket" } });
  expect([advisory.status, advisory.headers["lifeboat-fence"]]).toEqual([201, "advisory"]);
});

test("a route may ask for more than the server's default, and a request has the last word", async () => {
  await using server = await startTestServer();
  const path = `/pages/${await addPage(server)}/publication`;
  const key = { "idempotency-key": "publishes-the-page" };
  const paid = await server.call("POST", path, { headers: key });
  expect([paid.status, paid.headers["durability"]]).toEqual([200, "bucket"]);
  const quick = await server.call("POST", path, { headers: { ...key, durability: "commit" } });
  expect([quick.status, quick.headers["durability"]]).toEqual([200, "commit"]);
});
