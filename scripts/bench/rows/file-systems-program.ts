import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { openDatabase } from "../../../app/database/open-database.ts";
import type { Figures } from "../report/report.ts";
import { measureInTurns, measureLoop, type Variant } from "../report/rounds.ts";
import type { FileSystemOrder } from "./file-systems.ts";

/** Mounts the volumes named in the file on its command line, measures on them in turns, and prints the rows. */
const [, , path = ""] = process.argv;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- file-systems.ts has just written it
const { volumes, rounds, roundMs } = JSON.parse(readFileSync(path, "utf8")) as FileSystemOrder;
for (const { kind, options, image, mountPoint } of volumes)
  execFileSync("mount", ["-t", kind, "-o", options, image, mountPoint], { stdio: ["ignore", "ignore", "inherit"] });
const variants = volumes.flatMap(({ name, mountPoint }): Variant[] =>
  (["commit", "disk"] as const).map((level) => ({
    name: `${name}, ${level}`,
    measure: () => measureWrites(mountPoint, level),
  })),
);
const rows = await measureInTurns(variants, rounds);
for (const { mountPoint } of volumes) execFileSync("umount", [mountPoint]);
console.log(JSON.stringify(rows));

function measureWrites(directory: string, level: "commit" | "disk"): Figures {
  const file = join(directory, "app.db");
  const db = openDatabase(file, "writer");
  try {
    if (level === "disk") db.pragma("synchronous = FULL");
    // The WAL is to be used again, as Litestream's checkpoints see to, and not to fill the volume.
    db.pragma("wal_autocheckpoint = 1000");
    db.exec("create table notes (id text primary key not null, body text not null) strict");
    const insert = db.prepare("insert into notes (id, body) values (?, ?)");
    const body = "x".repeat(200);
    return measureLoop(roundMs, (count) => void insert.run(`${(count * 7919) % 1_000_003}-${count}`, body));
  } finally {
    db.close();
    for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  }
}
