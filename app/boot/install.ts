import { existsSync, renameSync, rmSync, statSync } from "node:fs";

import { type CommitSequence, findCommitSequence } from "../database/commit-sequence.ts";
import { DatabaseDamaged } from "../database/database-file.ts";
import { openDatabase, quickCheck, readDatabase } from "../database/open-database.ts";
import { isOutOfSpace } from "../database/sqlite-failure.ts";
import { fsyncPath } from "../durable-file.ts";
import type { Log } from "../log.ts";
import type { Claim } from "../replica/claim.ts";
import type { Parent } from "../replica/head.ts";
import type { Machine } from "../replica/machine.ts";
import { RestoreFailed, type Restored, restoreEpoch } from "../replica/restore.ts";
import type { BootLimits } from "./boot-limits.ts";
import { type BootFacts, BootRefused, isAsStopped } from "./decide-boot.ts";
import { setAside } from "./quarantine.ts";
import type { Step } from "./report.ts";
import { isInScratch, refuseForRoom, tellFullDisk } from "./space.ts";

export type Installed = {
  content: "fresh" | "volume" | "restored" | "imported";
  restoredTxid: string | null;
  sequence: CommitSequence | null;
  quarantined: string | null;
};

type Context = { machine: Machine; facts: BootFacts; plan: Claim; step: Step; limits: BootLimits; log: Log };

/**
 * Puts the content that the plan asks for in the database's place. The winner has passed quick_check, everything else
 * that lay there is in quarantine, and the staged files of the earlier epoch are gone. Throws BootRefused when the
 * content is damaged or histories diverge, and RestoreFailed.
 */
export async function installDatabase(context: Context): Promise<Installed> {
  const installed = await chooseContent(context);
  const { litestreamState, dataDirectory } = context.machine.files;
  await context.step("staged files", () => {
    // Otherwise Litestream would upload the old epoch's staged files under the new epoch's prefix.
    rmSync(litestreamState, { recursive: true, force: true });
    fsyncPath(dataDirectory);
  });
  return installed;
}

async function chooseContent(context: Context): Promise<Installed> {
  switch (context.plan.content) {
    case "fresh":
      return installFresh(context);
    case "volume":
      return keepVolume(context, await context.step("check volume", () => inspectVolume(context)));
    case "restore":
      return installRestored(context, await restoreAndCheck(context));
    case "compare":
      return compare(context);
    case "import":
      return installIncoming(context);
    default:
      return context.plan.content satisfies never;
  }
}

/**
 * The newer of the volume's database and the replica wins, by commit sequence. A tie goes to the volume. An equal
 * sequence with different tokens is a divergence.
 */
async function compare(context: Context): Promise<Installed> {
  const volume = await context.step("check volume", () => inspectOrNull(context.machine.files.database));
  if (volume !== null && isAsStopped(context.facts, volume)) return keepVolume(context, volume);
  const replica = await restoreAndCheck(context);
  // A damaged volume counts as lost: whatever it had beyond the replica cannot be known any more.
  if (volume === null) return installRestored(context, replica);
  if (volume.sequence === replica.sequence.sequence && volume.token !== replica.sequence.token) {
    throw refuse(
      context,
      `volume and replica both stand at commit ${volume.sequence}, but with different content: two histories`,
      "compare both by hand, then empty the data directory to go on from the replica",
    );
  }
  return volume.sequence >= replica.sequence.sequence ? keepVolume(context, volume) : installRestored(context, replica);
}

/** The only place that makes an empty database. From now on a missing file is a loss and never a fresh start. */
async function installFresh({ machine, facts, step }: Context): Promise<Installed> {
  const quarantined = await step("install", () => {
    const folder = setAside(machine.files, facts.mark);
    openDatabase(machine.files.database, "writer").close();
    return folder;
  });
  return { content: "fresh", restoredTxid: null, sequence: null, quarantined };
}

async function keepVolume({ machine, step }: Context, sequence: CommitSequence): Promise<Installed> {
  await step("install", () => {
    const { database, restored } = machine.files;
    for (const path of [database, `${database}-wal`]) if (existsSync(path)) fsyncPath(path);
    rmSync(restored, { recursive: true, force: true });
  });
  return { content: "volume", restoredTxid: null, sequence, quarantined: null };
}

async function installRestored({ machine, facts, plan, step }: Context, replica: Checked): Promise<Installed> {
  if (isInScratch(machine.files)) {
    const bytes = statSync(replica.path).size;
    rmSync(machine.files.restored, { recursive: true, force: true });
    throw refuseForRoom(machine, {
      row: plan.row,
      bytes,
      because: "the replica is newer than the volume's database, but ",
    });
  }
  const quarantined = await step("install", () => {
    const folder = setAside(machine.files, facts.mark);
    fsyncPath(replica.path);
    renameSync(replica.path, machine.files.database);
    fsyncPath(machine.files.dataDirectory);
    rmSync(machine.files.restored, { recursive: true, force: true });
    return folder;
  });
  return { content: "restored", restoredTxid: replica.txid, sequence: replica.sequence, quarantined };
}

/** A crash before the mark is written brings back what was there: its mark does not make an import a copy of it. */
async function installIncoming(context: Context): Promise<Installed> {
  const { machine, facts, step } = context;
  const { incoming, database, dataDirectory } = machine.files;
  const sequence = await step("check", () => inspectOrNull(incoming));
  if (sequence === null) throw refuse(context, `${incoming} is damaged`, "import the database again");
  const quarantined = await step("install", () => {
    const folder = setAside(machine.files, facts.mark);
    fsyncPath(incoming);
    renameSync(incoming, database);
    fsyncPath(dataDirectory);
    return folder;
  });
  return { content: "imported", restoredTxid: null, sequence, quarantined };
}

type Checked = Restored & { sequence: CommitSequence };

async function restoreAndCheck(context: Context): Promise<Checked> {
  const { plan, step, limits } = context;
  const { parent } = plan;
  if (parent === null) throw new Error("a plan without a parent has nothing to restore");
  const restored = await step("restore", () => restoreWithRoom(context, parent, limits.restoreStallMs));
  const sequence = await step("check", () => inspectOrNull(restored.path));
  if (sequence === null) {
    throw refuse(
      context,
      `what epoch ${parent.epoch} restores does not pass SQLite's quick_check`,
      `restore an earlier point of epochs/${parent.epoch}/ by hand`,
    );
  }
  return { ...restored, sequence };
}

/** When the disk runs full during the restore, it is not tried again. */
async function restoreWithRoom(context: Context, parent: Parent, stallLimitMs: number): Promise<Restored> {
  try {
    const onDetour = (cause: string) =>
      context.log.warn({ cause }, "the replica's files cannot be fetched side by side, Litestream fetches them");
    const isTight = isInScratch(context.machine.files);
    return await restoreEpoch(context.machine, parent.epoch, { stallLimitMs, txid: parent.txid, isTight, onDetour });
  } catch (error) {
    if (!(error instanceof RestoreFailed) || !isOutOfSpace(error)) throw error;
    const { cause, next } = tellFullDisk(context.machine, error.message);
    throw refuse(context, cause, next);
  }
}

function inspectVolume(context: Context): CommitSequence {
  const sequence = inspectOrNull(context.machine.files.database);
  if (sequence !== null) return sequence;
  throw refuse(
    context,
    "the volume's own database is damaged, and nothing else holds its last writes",
    "move the data directory away to go on without them",
  );
}

/** The commit sequence of a sound database. Null when SQLite finds damage on opening or checking it. */
function inspectOrNull(path: string): CommitSequence | null {
  try {
    return inspect(path);
  } catch (error) {
    if (error instanceof DatabaseDamaged) return null;
    throw error;
  }
}

function inspect(path: string): CommitSequence {
  return readDatabase(path, (database) => {
    quickCheck(database);
    return findCommitSequence(database);
  });
}

function refuse({ plan }: Context, cause: string, next: string): BootRefused {
  return new BootRefused({ row: plan.row, cause, next });
}
