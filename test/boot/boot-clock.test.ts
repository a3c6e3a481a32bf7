import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { StoreProxy } from "../replica/store-proxy.ts";
import { World } from "../replica/world.ts";
import type { Order } from "./boot-child.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

const hour = 60 * 60 * 1000;

/** Boots in a process whose clock is wrong. */
function bootAhead(order: Order) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "boot-child.ts"), JSON.stringify(order)]);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  return { outcome: text(child.stdout), log: () => said, setRight: () => child.kill("SIGUSR2"), child };
}

/** Refuses a request that is signed for another time, as stores do. */
async function startCheckingStore() {
  const body = "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>";
  return StoreProxy.start(world.store.access.endpoint, ({ headers }) => {
    const [, ...parts] = /^(....)(..)(..T..)(..)(..Z)$/.exec(String(headers["x-amz-date"])) ?? [];
    const [year, month, dayAndHour, minute, second] = parts;
    const signedAt = Date.parse(`${year}-${month}-${dayAndHour}:${minute}:${second}`);
    return Math.abs(signedAt - Date.now()) > 15 * 60_000 ? { status: 403, body } : "pass";
  });
}

test.concurrent.each([
  [hour, "3600 s ahead of the store's", "a store that minds"],
  [-hour, "3600 s behind the store's", "a store that minds"],
  [hour, "3600 s ahead of the store's", "a store that does not"],
])(
  "with a clock %d ms off boot says %s and waits until it is right, on %s",
  { timeout: 90_000 },
  async (clockAheadMs, words, store) => {
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
    const head = await site.head();
    await using checking = await startCheckingStore();
    const b = world.newMachine(site);
    if (store === "a store that minds") b.reconnect({ endpoint: checking.endpoint });
    const boot = bootAhead({ machine: b.machine, death: null, limits: { maxBackoffMs: 300 }, clockAheadMs });
    try {
      const waits = async () => (boot.log().split("the store does not answer, waiting").length > 3 ? true : null);
      await waitFor("boot to wait for the clock", waits, { timeoutMs: 40_000 });
      expect(boot.log()).toMatch(new RegExp(`"row":1,.*clock is (3[56]\\d\\d) s ${words.slice("3600 s ".length)}`));
      expect([await site.head(), existsSync(b.files.database)]).toEqual([head, false]);
      boot.setRight();
      expect(JSON.parse(await boot.outcome)).toMatchObject({
        report: { outcome: "claimed", row: 11, content: "restored" },
      });
    } finally {
      boot.child.kill("SIGKILL");
    }
    expect(b.texts()).toEqual(["one"]);
  },
);

test.concurrent("a machine boots when its clock is off by less than stores refuse", { timeout: 60_000 }, async () => {
  const b = world.newMachine(await world.makeSite());
  await using checking = await startCheckingStore();
  b.reconnect({ endpoint: checking.endpoint });
  const boot = bootAhead({ machine: b.machine, death: null, clockAheadMs: 5 * 60_000 });
  expect(JSON.parse(await boot.outcome)).toMatchObject({ report: { outcome: "claimed", row: 5 } });
});
