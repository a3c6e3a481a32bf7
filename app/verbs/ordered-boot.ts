import { readFileSync } from "node:fs";

import { type Static, Type } from "typebox";

import { Refused } from "../cli/command-line.ts";
import type { Bucket } from "../replica/bucket.ts";
import { fetchHead, type Head } from "../replica/head.ts";
import type { Machine } from "../replica/machine.ts";
import { readMark } from "../replica/mark.ts";
import { parseJson } from "../replica/parse-json.ts";
import { OrderRefused } from "../replica/restore-order.ts";
import type { Services } from "./services.ts";

/** Throws Refused unless head names the life of this machine. */
export function requireOwnMachine({ files }: Machine, head: Head): void {
  if (readMark(files.mark)?.nonce === head.nonce) return;
  throw new Refused(
    `epoch ${head.epoch} is served by machine ${head.machine}, not by this one; type it there, or write a file: --to`,
  );
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const goOn = (): void => undefined;

/**
 * Acts to the end although somebody types Ctrl-C, or the connection of the terminal breaks: between a stop and a start
 * nobody would start the app again.
 */
export async function uninterrupted<Result>(act: () => Promise<Result>): Promise<Result> {
  for (const name of signals) process.on(name, goOn);
  // Nobody may read any more what is printed.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", goOn);
  try {
    return await act();
  } finally {
    for (const name of signals) process.off(name, goOn);
  }
}

type Acting = { bucket: Bucket; machine: Machine; services: Services };

/** Stops the app, and writes an order for the next boot. Whatever goes wrong, the app starts again with what it had. */
export async function stopAndOrder({ bucket, services }: Acting, order: (head: Head) => void): Promise<void> {
  try {
    await services.stop();
    order((await fetchHead(bucket)).head);
  } catch (error) {
    await services.start();
    if (error instanceof OrderRefused)
      throw new Refused(`${error.message}. Nothing was changed; for a look without a stop: --dry-run`);
    throw error;
  }
}

const OutcomeSchema = Type.Object({
  row: Type.Union([Type.Number(), Type.Null()]),
  epoch: Type.Union([Type.String(), Type.Null()]),
  content: Type.Union([Type.String(), Type.Null()]),
  restoredTxid: Type.Union([Type.String(), Type.Null()]),
});
export type BootOutcome = Static<typeof OutcomeSchema>;

/** Boots, and returns the new epoch. Null when somebody else starts boot. Throws when boot did something else. */
export async function bootOrdered(
  { files }: Machine,
  services: Services,
  isExpected: (report: BootOutcome) => boolean,
): Promise<string | null> {
  if (!(await services.start())) return null;
  const report = parseJson(OutcomeSchema, readFileSync(files.bootReport, "utf8"), files.bootReport);
  if (isExpected(report)) return report.epoch;
  throw new Error(
    `boot did not carry it out, and serves what was there before (row ${report.row}): what it needs went away meanwhile; try again`,
  );
}
