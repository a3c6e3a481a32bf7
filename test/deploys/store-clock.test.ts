import { createServer } from "node:http";

import { expect, test } from "vitest";

import { WishReader } from "../../app/deploys/wish-reader.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";

const hourMs = 3_600_000;
const text = JSON.stringify({ format: 1, deploy: "one", at: "now", by: "a test", way: "stop", machine: "a" });

/** For how long nothing was written, by a store that says when and gives this date, or none. */
async function measureSilence(writtenMs: number, date: string | null): Promise<number> {
  const store = createServer((_request, response) => {
    response.sendDate = false;
    if (date !== null) response.setHeader("date", date);
    response.writeHead(200, { etag: '"1"', "last-modified": new Date(writtenMs).toUTCString() }).end(text);
  });
  await using listener = await listenOnLoopback(store);
  const key = { accessKeyId: "id", secretAccessKey: "secret" };
  using reader = new WishReader({ bucket: "b", region: "auto", endpoint: listener.url, pathStyle: true, ...key });
  await reader.readWish();
  return reader.silentMs();
}

test.each([
  ["no date", null],
  ["a date that is years before what it has stored", "Wed, 01 Jan 2020 00:00:00 GMT"],
  ["no date that can be read", "yesterday"],
])("a store that gives %s does not make an old wish a new one", async (_what, date) => {
  expect(await measureSilence(Date.now() - hourMs, date)).toBeGreaterThan(hourMs - 60_000);
  expect(await measureSilence(Date.now(), date)).toBeLessThan(60_000);
});

test("where the store gives its date, this machine's clock does not count", async () => {
  const years = Date.UTC(2031, 1, 1);
  expect(await measureSilence(years - hourMs, new Date(years).toUTCString())).toBe(hourMs);
});
