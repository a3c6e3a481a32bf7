import { execFile, spawnSync } from "node:child_process";
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { Order, Outcome } from "./boot-child.ts";

/**
 * Whether this computer lets us mount a small file system in a user namespace (some forbid it to everyone but root).
 */
export function maySmallDisks(): boolean {
  return spawnSync("unshare", ["--map-root-user", "--mount", "true"]).status === 0;
}

const script = `
data="$1" size="$2"; shift 2
mv "$data" "$data-kept"; mkdir "$data"
mount -t tmpfs -o "size=$size,mode=700" none "$data"
cp -a "$data-kept/." "$data/"
"$@"
cp -a "$data" "$data-after"
`;

/**
 * Boots in a child whose data directory is a file system in memory, with this much room beside the directory's content.
 * Afterwards the directory holds what that small disk held.
 */
export async function bootOnSmallDisk(child: string, order: Order, roomBytes: number): Promise<Outcome> {
  const data = order.machine.files.dataDirectory;
  const size = String(countBytes(data) + roomBytes);
  const words = [process.execPath, child, JSON.stringify(order)];
  const namespace = ["--map-root-user", "--mount", "sh", "-euc", script, "sh", data, size];
  const { stdout } = await promisify(execFile)("unshare", [...namespace, ...words], { timeout: 60_000 });
  rmSync(data, { recursive: true });
  rmSync(`${data}-kept`, { recursive: true });
  renameSync(`${data}-after`, data);
  return JSON.parse(stdout);
}

function countBytes(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  const pageBytes = 4096;
  const sizes = files.map((file) => statSync(join(file.parentPath, file.name)).size);
  return sizes.reduce((sum, size) => sum + Math.ceil(size / pageBytes) * pageBytes, 0);
}
