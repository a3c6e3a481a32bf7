import { setTimeout as sleep } from "node:timers/promises";

import { beforeEach, expect, test } from "vitest";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { announceUp } from "../../../scripts/deploy/announce-up.ts";
import { fetchStandingWish } from "../../../scripts/deploy/wish.ts";
import { type CloudStore, openCloudStore } from "../../../scripts/store/open-client.ts";
import type { Fate } from "../../replica/store-proxy.ts";
import { useProxiedStore } from "../store/proxied-store.ts";

const release = "1".repeat(64);
const unavailable = { status: 503, body: "<Error><Code>ServiceUnavailable</Code></Error>" };

const proxied = useProxiedStore();
let store: CloudStore;
let told: string[];
beforeEach(async () => {
  told = [];
  store = await openCloudStore(proxied.place, proxied.readSecret);
  return () => store[Symbol.dispose]();
});

const upgrade = () => ({ sha256: release, server: "4711", tell: (words: string) => void told.push(words) });
const readOutcome = async () => (await fetchStandingWish(store))?.report?.outcome;

const fail = () => Promise.reject(new Error("it does not serve"));

/** Decides over the writes of reports, by their number. */
function judgeReports(decide: (count: number) => Fate | Promise<Fate>): void {
  let count = 0;
  proxied.proxy.decide = ({ method, path }) =>
    method === "PUT" && path.includes("/reports/deploys/") ? decide((count += 1)) : "pass";
}

test("a store that takes no report fails no machine that is up; it is told what others see meanwhile", async () => {
  judgeReports(() => unavailable);
  await announceUp(store, upgrade(), async () => undefined);
  expect(told.at(-1)).toMatch(/ServiceUnavailable.*npm run releases/);
  expect(await readOutcome()).toBe(undefined);
});

test("a store that is away for a moment at the end gets the end all the same", async () => {
  judgeReports((count) => (count === 2 ? unavailable : "pass"));
  await announceUp(store, upgrade(), async () => undefined);
  expect(await readOutcome()).toBe("serving");
});

test("what fails is the bring-up, and not the report about that", async () => {
  judgeReports((count) => (count > 1 ? unavailable : "pass"));
  await expect(announceUp(store, upgrade(), fail)).rejects.toThrow("it does not serve");
});

test.each([
  ["serving", async () => undefined],
  ["failed", fail],
])("a word that is late does not overwrite the end: %s", async (outcome, bring) => {
  let seen = 0;
  judgeReports((count) => {
    seen = count;
    // The second is the word in between.
    return count === 2 ? sleep(1_000, "pass" as const) : "pass";
  });
  const slowly = async () => {
    await waitFor("the word in between", async () => (seen >= 2 ? true : null), { timeoutMs: 10_000 });
    return bring();
  };
  await announceUp(store, { ...upgrade(), everyMs: 50 }, slowly).catch(() => null);
  await sleep(1_500);
  expect(await readOutcome()).toBe(outcome);
});
