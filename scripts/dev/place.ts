import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { DirectoryInUse, lockDirectory } from "../../app/replica/lock.ts";
import { hasSocketRoom, type MachineDirectories } from "../local/machine-units.ts";
import { makeStoreKeys } from "../local/seaweed-store.ts";
import { devFolder } from "./environment.ts";

const Settings = Type.Object({
  token: Type.String({ minLength: 1 }),
  port: Type.Union([Type.Integer({ minimum: 1, maximum: 65_535 }), Type.Null()]),
  machineId: Type.String({ minLength: 1 }),
  keys: Type.Object({ accessKeyId: Type.String(), secretAccessKey: Type.String() }),
  bucket: Type.Union([Type.Object({ name: Type.String(), id: Type.String() }), Type.Null()]),
});

/** Settings that are kept between starts. `bucket` is null until there is one. */
export type DevSettings = Static<typeof Settings>;

/** Where the app of `npm run dev` has its data. */
export const devDataDirectory = dataIn(homeIn(devFolder));

/** The folder of the development data, locked by this process. */
export type DevPlace = Disposable &
  Readonly<{
    machine: MachineDirectories;
    store: string;
    readSettings(): DevSettings;
    saveSettings(settings: DevSettings): void;
    /** Deletes the database and its bucket. Token and port stay. */
    clear(): void;
  }>;

/** Locks the folder. Throws an Error while another `npm run dev` has it. */
export function openPlace(folder: string): DevPlace {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = takeLock(folder);
  const file = join(folder, "settings.json");
  const home = homeIn(folder);
  const machine = { home, data: dataIn(home), run: chooseRunDirectory(home), logs: join(folder, "logs") };
  const store = join(folder, "store");
  const saveSettings = (settings: DevSettings) => {
    writeFileSync(`${file}.tmp`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  };
  const readSettings = () => (existsSync(file) ? parseSettings(file) : makeSettings());
  const clear = () => {
    const settings = readSettings();
    for (const path of [home, machine.run, machine.logs, store]) rmSync(path, { recursive: true, force: true });
    saveSettings({ ...settings, bucket: null });
  };
  return { machine, store, readSettings, saveSettings, clear, [Symbol.dispose]: () => lock[Symbol.dispose]() };
}

function homeIn(folder: string): string {
  return join(folder, "machine");
}

function dataIn(home: string): string {
  return join(home, "data");
}

function takeLock(folder: string): Disposable {
  try {
    return lockDirectory(join(folder, "dev.lock"));
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    throw new Error("npm run dev runs already in this folder; end it with Ctrl-C there, and start again", {
      cause: error,
    });
  }
}

/** Litestream's socket needs a short path, and the folder may have a long one. */
function chooseRunDirectory(home: string): string {
  const run = join(home, "run");
  if (hasSocketRoom(run)) return run;
  return join(resolve(tmpdir()), `lifeboat-dev-${createHash("sha256").update(home).digest("hex").slice(0, 12)}`);
}

function parseSettings(file: string): DevSettings {
  try {
    return Value.Parse(Settings, JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new Error(`${file} cannot be read; delete the folder that it is in, with the development data`, { cause });
  }
}

function makeSettings(): DevSettings {
  const machineId = randomBytes(16).toString("hex");
  return { token: randomBytes(24).toString("hex"), port: null, machineId, keys: makeStoreKeys(), bucket: null };
}
