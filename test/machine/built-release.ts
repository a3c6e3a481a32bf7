import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildRelease } from "../../scripts/build/build-release.ts";
import { listFiles } from "../../scripts/build/release-files.ts";
import { runCommand } from "../../scripts/build/run-command.ts";
import type { ArchiveFile } from "../../scripts/build/write-archive.ts";
import type { ReleaseBucket } from "../cloud-init/release-bucket.ts";

/** The release of this repository, as an archive and unpacked, so that tests can spoil parts of it. */
export class BuiltRelease implements Disposable {
  readonly sha256: string;
  readonly #directory: string;
  readonly #path: string;

  private constructor(directory: string, { sha256, path }: { sha256: string; path: string }) {
    this.sha256 = sha256;
    this.#directory = directory;
    this.#path = path;
  }

  static async make(): Promise<BuiltRelease> {
    const directory = mkdtempSync(join(tmpdir(), "lifeboat-release-"));
    const archive = await buildRelease("linux-x64", directory);
    await runCommand("tar", ["-xzf", archive.path, "-C", directory], { timeoutMs: 60_000 });
    rmSync(join(directory, "latest-linux-x64.json"));
    return new BuiltRelease(directory, archive);
  }

  async upload(bucket: ReleaseBucket): Promise<void> {
    await bucket.put(`releases/${this.sha256}.tar.gz`, readFileSync(this.#path));
  }

  /** Its files, with some of them replaced or called otherwise. */
  change(texts: Record<string, string>, renamed: Record<string, string> = {}): ArchiveFile[] {
    const names = listFiles(this.#directory).filter((name) => !name.endsWith(".tar.gz"));
    const kept = names.map((name) => ({
      name: renamed[name] ?? name,
      executable: name.startsWith("bin/"),
      path: join(this.#directory, name),
    }));
    const made = Object.entries(texts).map(([name, text]) => ({ name, executable: false, text }));
    return [...kept.filter(({ name }) => texts[name] === undefined), ...made];
  }

  /** The text of one of its files. */
  read(name: string): string {
    return readFileSync(join(this.#directory, name), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
