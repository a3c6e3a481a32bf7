import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

import { bootMachine, type BootOptions } from "../../app/boot/boot-machine.ts";
import type { Machine } from "../../app/replica/machine.ts";
import { watchSteps } from "./watch-steps.ts";

/**
 * Where the child dies by SIGKILL: after a step of boot, after a file has been renamed to that name, or just before it
 * changes the file system for the nth time (counted from 1).
 */
export type Death = { step: string } | { renamedTo: string } | { change: number };
export type Order = {
  machine: Machine;
  death: Death | null;
  limits?: NonNullable<BootOptions["limits"]>;
  clockAheadMs?: number;
};
/** What the child prints when it lives to the end. */
export type Outcome = { report: unknown; changes: number };

const [, , text = ""] = process.argv;
const order: Order = JSON.parse(text);
let changes = 0;
if (order.clockAheadMs !== undefined) shiftClock(order.clockAheadMs);
watchChanges();
const report = await bootMachine(order.machine, {
  log: watchSteps({ info: say, warn: say, error: say }, (step) =>
    dieIf(order.death !== null && "step" in order.death && order.death.step === step),
  ),
  limits: { restorePausesMs: [20, 20], ...order.limits },
});
const outcome: Outcome = { report, changes };
process.stdout.write(JSON.stringify(outcome));

function say(details: object, event: string): void {
  process.stderr.write(`${event} ${JSON.stringify(details)}\n`);
}

function dieIf(itIsTime: boolean): void {
  if (itIsTime) process.kill(process.pid, "SIGKILL");
}

/**
 * Makes the clock of this process wrong, until SIGUSR2 corrects it. Litestream is another process with the right clock.
 */
function shiftClock(aheadMs: number): void {
  const RightDate = Date;
  let shiftMs = aheadMs;
  process.once("SIGUSR2", () => (shiftMs = 0));
  const now = () => RightDate.now() + shiftMs;
  globalThis.Date = new Proxy(RightDate, {
    construct: (target, words, newTarget) => Reflect.construct(target, words.length === 0 ? [now()] : words, newTarget),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });
}

/** Wraps every function by which boot changes a disk. */
function watchChanges(): void {
  const { copyFileSync, fsyncSync, mkdirSync, renameSync, rmSync, writeFileSync } = fs;
  Object.assign(fs, {
    copyFileSync: counted(copyFileSync),
    fsyncSync: counted(fsyncSync),
    mkdirSync: counted(mkdirSync),
    rmSync: counted(rmSync),
    writeFileSync: counted(writeFileSync),
    renameSync: counted((from: string, to: string) => {
      renameSync(from, to);
      dieIf(order.death !== null && "renamedTo" in order.death && order.death.renamedTo === basename(to));
    }),
  });
  syncBuiltinESMExports();
}

function counted<Args extends unknown[], Result>(change: (...args: Args) => Result): (...args: Args) => Result {
  return (...args) => {
    changes += 1;
    dieIf(order.death !== null && "change" in order.death && order.death.change === changes);
    return change(...args);
  };
}
