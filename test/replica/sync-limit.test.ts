import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { syncLimitMs } from "../../app/replica/open-replication.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";

test("a sync of a living epoch waits for what is in the WAL, and only an opening one for the whole database", () => {
  using directory = makeTemporaryDirectory();
  const database = join(directory.path, "app.db");
  writeFileSync(database, "");
  // 10 GB by its size, without a block on the disk.
  truncateSync(database, 10_000_000_000);
  writeFileSync(`${database}-wal`, Buffer.alloc(2_000_000));

  expect(syncLimitMs(database, "living")).toBe(17_000);
  expect(syncLimitMs(database, "opening")).toBe(10_017_000);
});
