import { expect, test } from "vitest";

import { CommitFeed } from "../../app/database/commit-feed.ts";
import { neverAsked } from "../../app/http/product-routes.ts";
import { buildServer } from "../../app/http/server.ts";
import { StartingParts } from "../../app/http/starting-parts.ts";
import { pagesProduct } from "../product/pages.ts";
import { ControlledReplication, idleViews } from "./controlled-replication.ts";
import { token, tokenDigest } from "./test-server.ts";

test("while the writer migrates, /up answers, /ready says why not, and everything else is told to come again", async () => {
  const parts = new StartingParts<ControlledReplication>("0001-test");
  const server = buildServer({
    product: pagesProduct,
    writer: parts.writer,
    reader: parts.reader,
    reports: parts.reports,
    replication: parts.replication,
    ...idleViews,
    commits: new CommitFeed(),
    files: neverAsked.files,
    findStartCause: () => parts.findStartCause(),
    config: { tokenDigests: [tokenDigest], defaultDurability: "disk", bucketTimeoutMs: 5_000 },
  });
  const headers = { authorization: `Bearer ${token}` };
  expect((await server.inject("/up")).statusCode).toBe(200);
  expect((await server.inject("/ready")).json()).toMatchObject({
    status: "starting",
    state: "starting",
    epoch: "0001-test",
  });
  parts.replicationPart = new ControlledReplication();
  const progress = {
    stage: "migrating",
    migration: '3 "totals"',
    elapsedMs: 90_400,
    walBytes: 1,
    restorePoint: null,
  } as const;
  parts.migrationProgress = progress;
  const ready = await server.inject("/ready");
  expect(ready.json()).toMatchObject({ status: "starting", state: "living" });
  expect(ready.statusCode).toBe(503);
  expect(ready.json().cause).toBe('the database is being migrated: migrating 3 "totals", for 90 s');
  const read = await server.inject({ url: "/pages", headers });
  const write = await server.inject({
    method: "POST",
    url: "/pages",
    headers,
    payload: { title: "a@b.c" },
  });
  for (const answer of [read, write]) {
    expect({ status: answer.statusCode, retry: answer.headers["retry-after"] }).toEqual({ status: 503, retry: "2" });
    expect(answer.json()).toMatchObject({ type: "urn:lifeboat:problem:starting" });
    expect(answer.headers["lifeboat-not-begun"]).toBe("starting");
  }
  // A proxy must not hold what is answered at once.
  expect(ready.headers).not.toHaveProperty("lifeboat-not-begun");
  expect((await server.inject("/pages")).statusCode).toBe(401);
  await server.close();
});
