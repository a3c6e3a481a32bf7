import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The smallest that mkfs.btrfs takes is 109 MiB; the file is sparse.
const volumeBytes = 192 * 1024 * 1024;

/** A blank volume that can be attached to one machine root after another: a loop device over a sparse file. */
export class VolumeFile implements Disposable {
  readonly device: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "lifeboat-volume-"));

  constructor() {
    const file = join(this.#directory, "volume");
    writeFileSync(file, "");
    truncateSync(file, volumeBytes);
    this.device = execFileSync("losetup", ["--find", "--show", file], { encoding: "utf8" }).trim();
  }

  [Symbol.dispose](): void {
    execFileSync("losetup", ["--detach", this.device]);
    rmSync(this.#directory, { recursive: true });
  }
}
