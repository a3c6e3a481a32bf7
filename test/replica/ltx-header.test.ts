import { statSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fetchRestoredSize } from "../../app/boot/space.ts";
import { fetchChain, readLtxHeader } from "../../app/replica/chain.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

test("the header of the newest file says how large the restored database is, also once it has grown", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.boot();
  await using life = await a.live();
  const sizes: (number | null)[] = [];
  for (const text of ["one", "x".repeat(300_000)]) {
    life.write(text);
    await life.replicate();
    sizes.push(await sizeInBucket());
  }
  await life.crash();
  const b = world.newMachine(site);
  await b.boot();
  expect(sizes[1]).toBe(statSync(b.files.database).size);
  expect(sizes[0]).toBeLessThan(300_000);

  async function sizeInBucket(): Promise<number | null> {
    const { head } = await fetchHead(site.bucket);
    return fetchRestoredSize(site.bucket, head.epoch, await fetchChain(site.bucket, head.epoch));
  }
});

test("bytes that are not an LTX header have no size", () => {
  const header = Buffer.alloc(100);
  header.write("LTX1");
  header.writeUInt32BE(4096, 8);
  header.writeUInt32BE(3, 12);
  header.writeBigInt64BE(1_795_779_000_123n, 32);
  expect(readLtxHeader(header)).toEqual({ databaseBytes: 3 * 4096, at: new Date(1_795_779_000_123) });
  expect(readLtxHeader(header.subarray(0, 99))).toBeNull();
  expect(readLtxHeader(Buffer.from(header).fill("<html>", 0, 6))).toBeNull();
  header.writeUInt32BE(4095, 8);
  expect(readLtxHeader(header)).toBeNull();
});
