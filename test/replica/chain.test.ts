import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { createCommitSequence } from "../../app/database/commit-sequence.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { readChain, type Chain } from "../../app/replica/chain.ts";
import { syncReplica } from "../../app/replica/litestream.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { chooseInteger, seedRandom } from "../../scripts/drill/random.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { startProcessGroup } from "../../scripts/local/process-group.ts";
import { FileReplica, type Verdict } from "./file-replica.ts";
import { writeNote } from "./life.ts";

let directory: string;
let litestream: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lb-chain-"));
  litestream = await resolveBinary("litestream");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Litestream's verdict in our words. */
function toChain(verdict: Verdict, keys: readonly string[]): Partial<Chain> {
  if (verdict.restorable) return { state: "whole", newestTxid: verdict.newestTxid, files: verdict.files };
  if (verdict.words.includes("non-contiguous ltx files")) return { state: "broken" };
  if (!verdict.words.includes("no matching backup files available"))
    throw new Error(`unknown words of Litestream: ${verdict.words}`);
  return { state: keys.length === 0 ? "empty" : "no-base" };
}

function ltx(level: number, first: number, last: number): string {
  const [min, max] = [first, last].map((txid) => txid.toString(16).padStart(16, "0"));
  return `epochs/0001-00000000/${String(level).padStart(4, "0")}/${min}-${max}.ltx`;
}

const history = [1, 2, 3, 4, 5, 6].map((txid) => ltx(0, txid, txid));
const listings: [claim: string, keys: string[], state: Chain["state"]][] = [
  ["nothing at all", [], "empty"],
  ["the file of TXID 1 alone", [ltx(0, 1, 1)], "whole"],
  ["every file of level 0", history, "whole"],
  ["the base deleted", history.slice(1), "no-base"],
  ["the middle deleted", history.toSpliced(2, 1), "broken"],
  ["the newest deleted, which no listing can tell", history.slice(0, -1), "whole"],
  ["the middle deleted, but compacted before", [...history.toSpliced(2, 1), ltx(1, 2, 4)], "whole"],
  ["only a snapshot", [ltx(9, 1, 4)], "whole"],
  ["a snapshot and what follows it", [ltx(9, 1, 4), ...history.slice(4)], "whole"],
  ["a snapshot with a gap behind it", [ltx(9, 1, 4), ltx(0, 6, 6)], "broken"],
  ["a snapshot that bridges the gap", [ltx(0, 1, 1), ltx(0, 5, 5), ltx(9, 1, 4)], "whole"],
  ["a snapshot beyond everything", [...history, ltx(9, 1, 9)], "whole"],
  ["compactions that overlap", [ltx(1, 1, 3), ltx(1, 2, 5), ltx(2, 1, 4), ltx(0, 6, 6)], "whole"],
  ["a compaction that jumps over a gap", [ltx(0, 1, 1), ltx(1, 3, 6), ltx(2, 1, 4)], "whole"],
];

test.each(listings)("a listing with %s is judged as Litestream judges it", async (claim, keys, state) => {
  const replica = new FileReplica(join(directory, claim.replaceAll(/\W/g, "-")), litestream);
  replica.write(keys);
  expect(readChain(keys).state).toBe(state);
  expect(readChain(keys)).toMatchObject(toChain(await replica.plan(), keys));
});

test("objects that are no LTX files change nothing", () => {
  const foreign = [
    "epochs/0001-00000000/epoch.json",
    "epochs/0001-00000000/0000/readme.txt",
    "epochs/0001-00000000/0000/1-2.ltx",
    "x",
  ];
  expect(readChain([...foreign, ...history])).toEqual(readChain(history));
  expect(readChain(foreign)).toEqual({ state: "empty" });
});

/** What a replica may look like: a history, some of it compacted and under snapshots, and then some files are gone. */
function chooseListing(random: () => number): string[] {
  const newest = chooseInteger(random, 1, 9);
  const range = (level: number): string => {
    const first = chooseInteger(random, 1, newest);
    return ltx(level, level === 9 ? 1 : first, chooseInteger(random, first, newest));
  };
  const increments = Array.from({ length: newest }, (_, index) => ltx(0, index + 1, index + 1));
  const others = [1, 1, 2, 3, 9, 9].filter(() => random() < 0.4).map(range);
  return [...new Set([...increments, ...others])].filter(() => random() < 0.7);
}

test("60 random listings are judged as Litestream judges them", async () => {
  const random = seedRandom(20261122);
  const chosen = Array.from({ length: 60 }, () => chooseListing(random));
  const disagreements: object[] = [];
  const judged = new Set<string>();
  for (const [index, keys] of chosen.entries()) {
    const replica = new FileReplica(join(directory, `random-${index}`), litestream);
    replica.write(keys);
    const [ours, theirs] = [readChain(keys), toChain(await replica.plan(), keys)];
    judged.add(ours.state);
    if (ours.state !== theirs.state || (ours.state === "whole" && JSON.stringify(ours) !== JSON.stringify(theirs)))
      disagreements.push({ keys, ours, theirs });
  }
  expect(disagreements).toEqual([]);
  expect([...judged].toSorted()).toEqual(["broken", "empty", "no-base", "whole"]);
});

test("a real replica restores exactly when its listing is whole, whichever file is deleted", async () => {
  const original = await makeReplica();
  const keys = original.keys().toSorted();
  expect(readChain(keys).state).toBe("whole");
  const compacted = keys.filter((key) => !key.includes("/0000/"));
  const losses = [
    ...keys.map((key) => [key]),
    ...keys.flatMap((key) => (compacted.includes(key) ? [] : [[key, ...compacted]])),
  ];
  const verdicts = new Set<string>();
  for (const [index, lost] of losses.entries()) {
    const damaged = original.copyTo(join(directory, `damaged-${index}`));
    damaged.remove(lost);
    const { state } = readChain(damaged.keys());
    verdicts.add(state);
    const words = await damaged.restoreTo(join(directory, `restored-${index}.db`));
    expect([lost, words === null]).toEqual([lost, state === "whole"]);
  }
  expect([...verdicts].toSorted()).toEqual(["broken", "no-base", "whole"]);
});

/** A few syncs of a real Litestream, with compactions and retention under way. */
async function makeReplica(): Promise<FileReplica> {
  const replica = new FileReplica(join(directory, "real"), litestream);
  const leftovers = new Leftovers();
  const database = openDatabase(replica.databasePath, "writer");
  database.exec("begin");
  createCommitSequence(database);
  database.exec("create table notes (id integer primary key, text text not null) strict; commit");
  const words = ["replicate", "-config", replica.configPath];
  const surroundings = { environment: {}, directory, logFile: join(directory, "litestream.log"), leftovers };
  const process = startProcessGroup({ file: litestream, words }, surroundings);
  const sync = () => syncReplica(replica.socketPath, replica.databasePath, 5_000);
  await waitFor("the first sync", sync, { timeoutMs: 20_000 });
  const compacted = async () => {
    writeNote(database, "one more");
    await sync();
    return replica.keys().some((key) => key.includes("/0001/")) ? true : null;
  };
  await waitFor("a compaction", compacted, { timeoutMs: 20_000, everyMs: 150 });
  writeNote(database, "beyond the compaction");
  await sync();
  process.signal("SIGKILL");
  await process.exited;
  database.close();
  return replica;
}
