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

  readonly #file = join(this.#directory, "volume");

  constructor() {
    writeFileSync(this.#file, "");
    truncateSync(this.#file, volumeBytes);
    this.device = execFileSync("losetup", ["--find", "--show", this.#file], { encoding: "utf8" }).trim();
  }

  /**
   * What the device holds now on another device, as when a volume is detached and attached again; this one is dead from
   * now on.
   */
  plugInAgain(): VolumeFile {
    const next = new VolumeFile();
    execFileSync("cp", ["--sparse=always", this.#file, next.#file]);
    execFileSync("losetup", ["--set-capacity", next.device]);
    // Reads beyond the end of the file are I/O errors.
    truncateSync(this.#file, 0);
    return next;
  }

  /** Makes the mounted device larger, as `volumes/actions/resize` does at Hetzner. */
  grow(bytes: number): void {
    truncateSync(this.#file, bytes);
    execFileSync("losetup", ["--set-capacity", this.device]);
  }

  [Symbol.dispose](): void {
    execFileSync("losetup", ["--detach", this.device]);
    rmSync(this.#directory, { recursive: true });
  }
}
