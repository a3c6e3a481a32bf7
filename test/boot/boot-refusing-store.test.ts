import { existsSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { startUnconditionalStore } from "../replica/bucket-double.ts";
import { StoreProxy, type Decide } from "../replica/store-proxy.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const error = (status: number, code: string, message: string) => ({
  status,
  body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});
/** Every PUT; a store shows such faults only when something is written. */
const onPut =
  (fate: ReturnType<typeof error>): Decide =>
  ({ method }) =>
    method === "PUT" ? fate : "pass";

const unlisted: Decide = ({ path }) => (path.includes("list-type") ? error(501, "NotImplemented", "no") : "pass");

const locked = "HTTP header is required for Put Object requests with Object Lock parameters";
const cases: [string, ReturnType<typeof error>, string][] = [
  ["wants Content-MD5 (AWS)", error(400, "InvalidRequest", `Content-MD5 OR x-amz-checksum- ${locked}`), "Object Lock"],
  ["wants Content-MD5 (others)", error(400, "InvalidRequest", `Content-MD5 ${locked}`), "Object Lock"],
  ["misses Content-MD5", error(400, "MissingContentMD5", "Missing required header: Content-Md5"), "Object Lock"],
  ["lost its encryption key", error(400, "KMS.DisabledException", "the key is disabled"), "KMS"],
  ["is over its quota", error(403, "QuotaExceeded", "no more"), "quota"],
  ["has another region", error(301, "PermanentRedirect", "elsewhere"), "region"],
  ["knows no conditions", error(501, "NotImplemented", "A header you provided"), "refuses conditional writes"],
  ["finds the request malformed", error(400, "InvalidArgument", "what is this?"), "check endpoint"],
];

test.concurrent.each(cases)(
  "a bucket that %s refuses with the advice that helps, and nothing is claimed",
  async (_, fate, advice) => {
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
    const head = await site.head();
    await using proxy = await StoreProxy.start(world.store.access.endpoint, onPut(fate));
    const b = world.newMachine(site);
    b.reconnect({ endpoint: proxy.endpoint });
    const report = await b.boot();
    expect(report).toMatchObject({ outcome: "refused", row: 2, next: expect.stringContaining(advice) });
    expect(report.cause).toContain("PUT head.json");
    expect([await site.head(), existsSync(b.files.database)]).toEqual([head, false]);
  },
);

test.concurrent("a store that lacks another call is not reported as lacking conditional writes", async () => {
  const site = await world.makeSite();
  await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
  await using proxy = await StoreProxy.start(world.store.access.endpoint, unlisted);
  const b = world.newMachine(site);
  b.reconnect({ endpoint: proxy.endpoint });
  const report = await b.boot();
  expect(report).toMatchObject({ outcome: "refused", cause: expect.stringContaining("LIST") });
  expect(report.next).toContain("does not know a call that Lifeboat needs");
});

test.concurrent("a first boot on a locked bucket claims nothing either", async () => {
  const site = await world.makeSite();
  const fate = error(400, "InvalidRequest", `Content-MD5 ${locked}`);
  await using proxy = await StoreProxy.start(world.store.access.endpoint, onPut(fate));
  const machine = world.newMachine(site);
  machine.reconnect({ endpoint: proxy.endpoint });
  expect(await machine.boot()).toMatchObject({ outcome: "refused", next: expect.stringContaining("0.5.17") });
  expect(await site.keys("head.json")).toEqual([]);
});

test("a drill on a store without conditional writes says which call, at which store, and what to do", async () => {
  await using store = await startUnconditionalStore("not-implemented");
  const access = { ...world.store.access, endpoint: store.endpoint };
  await expect(prepareBucket(access, null)).rejects.toThrow(
    /PUT lifeboat\.json \(http.*, bucket lifeboat-drill-.*\): unsupported .*refuses conditional writes .* use one that honours them/,
  );
});

test.each([
  ["?versioning", "switching versioning on"],
  ["PUT", "making a bucket"],
])("a drill on a store that does not know %s names the call, and the way round it", async (unknown, doing) => {
  const fate = error(501, "NotImplemented", "NotImplemented");
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method, path }) =>
    `${method} ${path}`.includes(unknown) ? fate : "pass",
  );
  await expect(prepareBucket({ ...world.store.access, endpoint: proxy.endpoint }, null)).rejects.toThrow(
    new RegExp(`${doing} \\(${proxy.endpoint}, bucket .*\\): unsupported .*name it with --bucket`),
  );
});
