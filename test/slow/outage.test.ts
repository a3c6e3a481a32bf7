import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { compareContent } from "../../scripts/drill/compare.ts";
import { readFacts } from "../../scripts/drill/facts.ts";
import { Ledger } from "../../scripts/drill/ledger.ts";
import { Load, mixedClients } from "../../scripts/drill/load.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

const customer = { name: "Lifeboat Ltd", email: "replay@example.test" };
const once = { headers: { durability: "bucket", "idempotency-key": "replay-after-outage" }, body: customer };
const nothingWrong = {
  lost: { commit: 0, disk: 0, bucket: 0 },
  differing: 0,
  duplicated: 0,
  unexpected: 0,
  examples: [],
};

test("the store goes for 20 s and comes back under load: disk writes go on, bucket writes say what they reached, and everything arrives", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const ledger = new Ledger();
  const load = new Load({ name: "load", target: machine.target, ledger, seed: 1 });
  load.start(mixedClients);
  await waitForMore(ledger, "bucket", 20);

  await site.proxy.goDown();
  await sleep(2_000);
  const before = ledger.count().acknowledged;
  const during = await machine.ask("POST", "/customers", once);
  expect({ status: during.status, reached: during.headers["durability"] }).toEqual({ status: 202, reached: "disk" });
  expect(during.headers["lifeboat-not-replicated"]).toBe("not in the bucket after 5000 ms");
  await sleep(13_000);
  const after = ledger.count().acknowledged;
  expect(after.commit).toBeGreaterThan(before.commit + 100);
  expect(after.disk).toBeGreaterThan(before.disk + 100);
  expect(after.bucket).toBe(before.bucket);

  await site.proxy.comeBack();
  await waitForMore(ledger, "bucket", 20);
  await load.assertHealthy();
  await load.stop();

  const replay = await machine.ask("POST", "/customers", once);
  expect(replay.status).toBe(201);
  expect(replay.headers).toMatchObject({ durability: "bucket", "idempotency-replayed": "true" });
  expect(replay.text).toBe(during.text);

  // That acknowledgement came last, so all that was committed before it is in the bucket.
  await machine.switchOff();
  const other = await bootFromBucket(site);
  const found = [...readFacts(other.files.database)];
  const ofTheLoad = found.filter(({ key }) => key !== customer.email);
  expect(found.length - ofTheLoad.length).toBe(1);
  expect(compareContent(ledger, ofTheLoad)).toMatchObject(nothingWrong);
});

test("the app is killed again and again under load, and loses nothing that it acknowledged, at commit either", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const ledger = new Ledger();
  for (const life of [1, 2, 3]) {
    const load = new Load({ name: `life-${life}`, target: machine.target, ledger, seed: life });
    load.start(mixedClients);
    await waitForMore(ledger, "commit", 200);
    const pid = machine.readPid("app");
    machine.kill("app");
    await load.stop();
    await waitFor("the next life of the app", async () => (machine.readPid("app") === pid ? null : true), {
      timeoutMs: 30_000,
    });
    await machine.waitUntilReady();
    expect(compareContent(ledger, readFacts(machine.files.database))).toMatchObject(nothingWrong);
  }
  expect(machine.readLog("boot").match(/"boot done"/g)).toHaveLength(1);
});

test("Litestream is killed under load: bucket writes resume, and none that was acknowledged is lost", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const ledger = new Ledger();
  const load = new Load({ name: "load", target: machine.target, ledger, seed: 7 });
  load.start(mixedClients);
  for (let kills = 0; kills < 4; kills += 1) {
    await waitForMore(ledger, "bucket", 30);
    machine.kill("litestream");
  }
  await waitForMore(ledger, "bucket", 30);
  await load.assertHealthy();
  await machine.switchOff();
  await load.stop();
  const other = await bootFromBucket(site);
  const { lost, ...rest } = compareContent(ledger, readFacts(other.files.database));
  expect({ bucket: lost.bucket, ...rest }).toMatchObject({ bucket: 0, differing: 0, duplicated: 0, unexpected: 0 });
});

async function bootFromBucket(site: WholeSite): Promise<WholeMachine> {
  const other = await site.addMachine("two");
  await other.switchOnUntilReady();
  return other;
}

async function waitForMore(ledger: Ledger, durability: "commit" | "disk" | "bucket", count: number): Promise<void> {
  const enough = ledger.count().acknowledged[durability] + count;
  const probe = async () => (ledger.count().acknowledged[durability] >= enough ? true : null);
  await waitFor(`${count} more acknowledged ${durability} writes`, probe, { timeoutMs: 60_000, everyMs: 50 });
}
