import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of rootfs/ as it will be on the machine. */
export type RootfsFile = { path: string; mode: "0755" | "0644"; text: string };

const rootfs = join(import.meta.dirname, "rootfs");

/**
 * Reads the files that user-data puts onto a bare image, with their paths. A file that starts with #! becomes
 * executable: file modes do not survive every way of copying a repository.
 */
export function readRootfs(): RootfsFile[] {
  const files = readdirSync(rootfs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => {
      const text = readFileSync(path, "utf8");
      return { path: path.slice(rootfs.length), mode: text.startsWith("#!") ? "0755" : "0644", text };
    });
}
