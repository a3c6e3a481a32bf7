import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { fetchChain } from "../../app/replica/chain.ts";
import { listingInspection } from "../../app/replica/inspections.ts";
import type { Site } from "./site.ts";
import { World } from "./world.ts";

const patientMs = 25_000;
const everyMs = 500;

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Makes five acknowledged writes, each in a separate file, and then deletes some of the files from the bucket. */
const deletions: [claim: string, remove: (site: Site, files: readonly string[]) => Promise<unknown>][] = [
  ["every object of its epochs", (site) => site.remove(/^epochs\//)],
  ["its base", (site, [first = ""]) => site.remove(new RegExp(`/000[1-9]/|${first}`))],
  ["a file in the middle", (site, files) => site.remove(new RegExp(files.at(-3) ?? ""))],
  ["its newest file", (site, files) => site.remove(new RegExp(files.at(-1) ?? ""))],
];

test.each(deletions)(
  "a replica that lost %s while its machine serves is found, bucket is refused, and a new base brings it back",
  async (_, remove) => {
    const site = await world.makeSite();
    const machine = world.newMachine(site);
    const { epoch } = await machine.boot();
    await using life = await machine.live([listingInspection(site.bucket, everyMs)]);
    const written = await life.writeReplicated(1, patientMs);
    // Litestream makes its first snapshot some seconds after it starts, from local files: that would mend the deletion.
    const snapshot = async () => ((await site.keys(`epochs/${epoch ?? ""}/0009/`)).length > 0 ? true : null);
    await waitFor("the first snapshot", snapshot, { timeoutMs: patientMs });
    written.push(...(await life.writeReplicated(5, patientMs)));
    const files = (await site.keys(`epochs/${epoch ?? ""}/0000/`)).toSorted();
    expect(files.length).toBeGreaterThanOrEqual(5);

    await remove(site, files);
    const deletedAt = performance.now();
    await waitFor("the refusal", async () => life.replication.bucketRefusal, { timeoutMs: patientMs, everyMs: 5 });
    expect(life.replication.bucketRefusal).toContain("the replica is broken: ");
    expect(life.replication.replicaFault).toContain(`epochs/${epoch ?? ""}/`);
    const refusedMs = performance.now() - deletedAt;
    await waitFor("the new base", async () => (life.replication.bucketRefusal === null ? true : null), {
      timeoutMs: patientMs,
      everyMs: 5,
    });
    process.stdout.write(
      `refused after ${refusedMs.toFixed(0)} ms, mended after ${(performance.now() - deletedAt).toFixed(0)} ms\n`,
    );
    expect(life.logged.map(({ event }) => event)).toContain("a new base is in the bucket");
    expect(life.replication.epoch).not.toBe(epoch);

    written.push(...(await life.writeReplicated(2, patientMs)));
    await life.crash();
    machine.loseDisk();
    expect(await machine.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(machine.texts()).toEqual(written);
  },
  60_000,
);

test("a sound replica is left alone, also while it is judged under writes", async () => {
  const site = await world.makeSite();
  const machine = world.newMachine(site);
  const { epoch } = await machine.boot();
  await using life = await machine.live([listingInspection(site.bucket, 50)]);
  const judged = () => life.logged.filter(({ event }) => event === "the replica was judged and is sound").length;
  while (judged() < 5) await life.writeReplicated(1, patientMs);
  expect(life.replication).toMatchObject({ epoch, replicaFault: null, bucketRefusal: null });
  expect(await fetchChain(site.bucket, epoch ?? "")).toMatchObject({ state: "whole" });
});
