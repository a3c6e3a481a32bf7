import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";

import { measureSpace } from "../durable-file.ts";
import type { MachineFiles } from "../replica/machine.ts";
import { type BucketSurvey, Settled } from "./survey-bucket.ts";

/** What a verification takes of this computer and of the store. */
export type Needs = {
  directory: string;
  /** The size of a restored copy. Null when it is not known beforehand. */
  bytes: number | null;
  freeBytes: number;
  requests: number;
  /** Whether there is no room for a second copy of the replica's files. */
  isTight: boolean;
};

type Bounds = {
  /** For each restore. */
  files: readonly number[];
  mostRequests: number;
  mostBytes: number | null;
  directory: string | null;
};

const mebibyte = 1024 ** 2;
/** A disk that runs full stops a machine; elsewhere it is a nuisance. */
const reserves = { machine: 512 * mebibyte, elsewhere: 64 * mebibyte };
/** What Litestream 0.5.17 lists for a restore, beside what we list. */
const listsEach = 35;
const keysInPage = 1_000;

/** Chooses where the copy lies, and counts what it takes. Throws Settled when a limit forbids it. */
export function chooseDirectory(
  { files, isMachine }: { files: MachineFiles; isMachine: boolean },
  { bytes, keys }: Pick<BucketSurvey, "bytes" | "keys">,
  { files: counts, mostRequests, mostBytes, directory }: Bounds,
): Needs {
  const pages = Math.ceil(keys.length / keysInPage);
  const requests = counts.reduce((sum, count) => sum + count + listsEach + 2 * pages, 0);
  if (requests > mostRequests)
    throw refuse(`it would take about ${requests} requests, more than ${mostRequests}`, "allow more: --requests");
  const needed = bytes ?? 0;
  if (mostBytes !== null && needed > mostBytes)
    throw refuse(`the copy takes ${needed} bytes, more than ${mostBytes}`, "allow more: --disk");
  const reserve = isMachine ? reserves.machine : reserves.elsewhere;
  const usual = isMachine ? ["/var/tmp", files.dataDirectory] : ["/var/tmp", tmpdir()];
  const places = directory === null ? usual.filter((place) => isFit(place)) : [directory];
  for (const place of places) {
    const { freeBytes } = measureSpace(place);
    if (freeBytes >= needed + reserve)
      return { directory: place, bytes, freeBytes, requests, isTight: freeBytes < 3 * needed + reserve };
  }
  const where = places.length === 0 ? usual : places;
  throw refuse(
    `the copy takes ${needed} bytes, ${reserve} must stay free, and there is no such room in ${where.join(" or ")}`,
    "name another directory: --directory",
  );
}

function refuse(cause: string, next: string): Settled {
  return new Settled("inconclusive", cause, next);
}

/** A file system in memory would take the memory of what runs here. */
function isFit(place: string): boolean {
  try {
    accessSync(place, constants.W_OK);
    return !measureSpace(place).isMemory;
  } catch {
    return false;
  }
}
