import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Figures } from "../report/report.ts";
import { measureInTurns, type Variant } from "../report/rounds.ts";
import type { FileSystemOrder } from "./file-systems.ts";
import { writeByHand } from "./writer.ts";

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
  // The WAL is to be used again, as Litestream's checkpoints see to, and not to fill the volume.
  const pragmas = ["wal_autocheckpoint = 1000", ...(level === "disk" ? ["synchronous = FULL"] : [])];
  try {
    return writeByHand(file, { pragmas, roundMs });
  } finally {
    for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  }
}
