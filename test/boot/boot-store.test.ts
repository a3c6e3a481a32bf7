import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { StoreProxy, type Fate } from "../replica/store-proxy.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

type Request = Parameters<StoreProxy["decide"]>[0];

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const xml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>says the proxy</Message></Error>`;
const html = { status: 200, body: "<!doctype html><html><body>Welcome to the hotel's network</body></html>" };

test.concurrent.each<[string, Fate]>([
  ["is down", "drop"],
  ["answers 500", { status: 500, body: xml("InternalError") }],
  ["asks to slow down", { status: 503, body: xml("SlowDown") }],
  ["finds our clock skewed", { status: 403, body: xml("RequestTimeTooSkewed") }],
])("while the store %s boot waits, and starts nothing; when it is back it boots", async (_, fate) => {
  const { b, proxy: opened } = await world.makeNext(() => fate);
  await using proxy = opened;
  const booting = b.boot({ limits: { maxBackoffMs: 300 } });
  const waits = async () =>
    b.events.filter(({ event }) => event === "the store does not answer, waiting").length >= 2 ? true : null;
  await waitFor("boot to wait for the store", waits, { timeoutMs: 20_000 });
  expect(existsSync(b.files.database)).toBe(false);
  proxy.heal();
  expect(await booting).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("a store that accepts and never answers is waited for, not taken for an empty one", async () => {
  const { b, proxy: opened } = await world.makeNext(() => "hang");
  await using proxy = opened;
  const booting = b.boot();
  await waitFor("a request that hangs", async () => (proxy.hanging > 0 ? true : null), { timeoutMs: 10_000 });
  expect(existsSync(b.files.database)).toBe(false);
  proxy.heal();
  expect(await booting).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
});

/** Every read of a replica file, and nothing else. */
function onLtxRead(fate: Fate): StoreProxy["decide"] {
  return ({ method, path }) => (method === "GET" && path.includes(".ltx") ? fate : "pass");
}

test.concurrent("a store that stops answering in the middle of the restore is given up after the limit, and asked again", async () => {
  const { b, proxy: opened } = await world.makeNext(onLtxRead("hang"));
  await using proxy = opened;
  const booting = b.boot({ limits: { restoreStallMs: 2_500 } });
  const failed = async () => (b.events.some(({ event }) => event === "restore failed") ? true : null);
  await waitFor("the restore to be given up", failed, { timeoutMs: 20_000 });
  expect(b.events.find(({ event }) => event === "restore failed")?.details).toMatchObject({
    attempt: 1,
    cause: expect.stringContaining("no progress for 2.5 s"),
  });
  proxy.heal();
  expect(await booting).toMatchObject({ outcome: "claimed", content: "restored" });
  expect(b.texts()).toEqual(["one"]);
});

/** Waits for boot to say that it waits for the store, many times over. */
async function expectWaiting(b: TestMachine, times: number): Promise<void> {
  const waits = async () =>
    b.events.filter(({ event }) => event === "the store fails under the restore, waiting").length >= times
      ? true
      : null;
  await waitFor("boot to wait for the store under the restore", waits, { timeoutMs: 60_000 });
  expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
}

const quick = { restoreStallMs: 1_500, maxBackoffMs: 100 };

test.concurrent.each<[string, Fate]>([
  ["never answer", "hang"],
  ["are cut off", "drop"],
])(
  "while the replica's files %s though the store does, boot waits, and goes on by itself",
  { timeout: 120_000 },
  async (_, fate) => {
    const { b, proxy: opened } = await world.makeNext(onLtxRead(fate));
    await using proxy = opened;
    const booting = b.boot({ limits: quick });
    await expectWaiting(b, 3);
    proxy.heal();
    expect(await booting).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(b.texts()).toEqual(["one"]);
  },
);

test.concurrent(
  "a file that the store refuses to deliver is reported with Litestream's message",
  { timeout: 120_000 },
  async () => {
    const { b, proxy: opened } = await world.makeNext(onLtxRead({ status: 403, body: xml("AccessDenied") }));
    await using _proxy = opened;
    expect(await b.boot({ limits: quick })).toMatchObject({
      outcome: "refused",
      row: 11,
      cause: expect.stringMatching(/restoring epoch .*reading it without Litestream: GET .*key-refused/),
    });
  },
);

async function slow(): Promise<Fate> {
  await sleep(400);
  return "pass";
}

test.concurrent(
  "a restore on a slow store goes on for longer than the limit, as long as answers come",
  { timeout: 120_000 },
  async () => {
    let isRestoring = false;
    const { b, proxy: opened } = await world.makeNext(() => (isRestoring ? slow() : "pass"));
    await using _proxy = opened;
    const report = await b.boot({
      limits: { restoreStallMs: 2_000 },
      afterStep: (step) => void (isRestoring ||= step === "claim"),
    });
    expect(report).toMatchObject({ outcome: "claimed", content: "restored" });
    expect(b.events.map(({ event }) => event)).not.toContain("restore failed");
    expect(report.steps.find(({ step }) => step === "restore")?.durationMs).toBeGreaterThan(2_000);
  },
);

test.concurrent.each([
  ["with a web page", html],
  ["with nothing", { status: 200, body: "" }],
])("a store that answers everything 200 %s is no store: boot refuses", async (_, fate) => {
  const { site, b, proxy: opened } = await world.makeNext(() => fate);
  await using _proxy = opened;
  const { epoch } = await site.head();
  expect(await b.boot()).toMatchObject({ outcome: "refused", row: 2, cause: expect.stringContaining("not-a-store") });
  expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
  expect((await site.head()).epoch).toBe(epoch);
});

test.concurrent.each([
  ["the sentinel", "/lifeboat.json", html],
  ["head", "/head.json", html],
  ["an empty head", "/head.json", { status: 200, body: "" }],
  ["the list of the replica", "prefix=epochs", html],
  ["an empty list of the replica", "prefix=epochs", { status: 200, body: "" }],
])("a store that answers only the request for %s like that is refused too", async (_, part, fate) => {
  const { b, proxy: opened } = await world.makeNext(({ path }) =>
    decodeURIComponent(path).includes(part) ? fate : "pass",
  );
  await using _proxy = opened;
  expect(await b.boot()).toMatchObject({ outcome: "refused" });
  expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
});

test.concurrent("a web page in place of the replica, shown to Litestream only, does not start an empty database", async () => {
  let litestreamReads = false;
  const { b, proxy: opened } = await world.makeNext(({ path }) =>
    litestreamReads && path.includes("prefix=epochs") ? html : "pass",
  );
  await using _proxy = opened;
  const report = await b.boot({ afterStep: (step) => void (litestreamReads ||= step === "claim") });
  expect(report).toMatchObject({
    outcome: "refused",
    row: 11,
    cause: expect.stringContaining("no matching backup files"),
  });
  expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
});

/** Our own listing of the epoch, and Litestream's of its level 0: the two that step over what retention has deleted. */
const listsLevelZero = (path: string) => /[?&]prefix=epochs%2F[^%&]+%2F(?:0000%2F)?(?:&|$)/.test(path);

test.concurrent(
  "a listing that takes longer than any call may is waited for while the store answers, ours and Litestream's",
  { timeout: 120_000 },
  async () => {
    const listed: string[] = [];
    const { b, proxy: opened } = await world.makeNext(async ({ method, path }): Promise<Fate> => {
      if (method !== "GET" || !listsLevelZero(path)) return "pass";
      listed.push(path);
      await sleep(6_000);
      return "pass";
    });
    await using _proxy = opened;
    const report = await b.boot({ limits: { store: { callMs: 2_500, answerMs: 1_000 }, restoreStallMs: 2_000 } });
    expect(report).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(listed.length).toBeGreaterThan(1);
    const told = b.events.find(({ event }) => event.startsWith("the store takes long to list"));
    expect(told?.details).toMatchObject({ doing: expect.stringContaining("LIST epochs/") });
    const events = b.events.map(({ event }) => event);
    expect(events).not.toContain("restore failed");
    expect(events).not.toContain("the store does not answer, waiting");
  },
);

/** What a new key may not do yet: to list, to write the probe, head or the epoch's note. */
test.concurrent.each([
  ["to list", ({ method, path }: Request) => method === "GET" && path.includes("list-type")],
  ["to read", ({ method, path }: Request) => method === "GET" && path.includes("lifeboat.json")],
  ["to claim", ({ method, path }: Request) => method === "PUT" && path.includes("/head.json")],
  ["to be probed", ({ method, path }: Request) => method === "PUT" && path.includes("/reports/")],
  ["to note the epoch", ({ method, path }: Request) => method === "PUT" && path.includes("/epoch.json")],
])("a right %s that arrives late is retried, within a limit", { timeout: 120_000 }, async (_, isDenied) => {
  let denials = 0;
  const site = await world.makeSite();
  await using proxy = await StoreProxy.start(world.store.access.endpoint, (request) =>
    isDenied(request) && (denials += 1) <= 3 ? { status: 403, body: xml("AccessDenied") } : "pass",
  );
  const first = world.newMachine(site);
  first.reconnect({ endpoint: proxy.endpoint });
  expect(await first.boot()).toMatchObject({ outcome: "claimed" });
  expect(denials).toBeGreaterThan(3);
});

test.concurrent.each([
  ["AccessDenied", "GET", 1_500],
  ["AccessDenied", "PUT", 1_500],
  ["SignatureDoesNotMatch", "GET", 600_000],
])("a store that says %s to every %s refuses in the end, with the cause", async (code, denied, unknownKeyMs) => {
  const site = await world.makeSite();
  await using proxy = await StoreProxy.start(world.store.access.endpoint, ({ method }) =>
    method === denied ? { status: 403, body: xml(code) } : "pass",
  );
  const machine = world.newMachine(site);
  machine.reconnect({ endpoint: proxy.endpoint });
  const report = await machine.boot({ limits: { unknownKeyMs, maxBackoffMs: 200 } });
  expect(report).toMatchObject({ outcome: "refused", row: 2, cause: expect.stringContaining(code) });
  expect([existsSync(machine.files.database), await site.keys("head.json")]).toEqual([false, []]);
});
