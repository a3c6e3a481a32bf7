import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of bootstrap/ as it will lie on the machine. */
export type BootstrapFile = { path: string; mode: "0755" | "0644"; text: string };

const bootstrap = join(import.meta.dirname, "bootstrap");

/**
 * Reads the files that user-data puts onto a bare image, by path. What starts with #! is executable: modes do not
 * survive every way of copying a repository.
 */
export function readBootstrap(): BootstrapFile[] {
  const files = readdirSync(bootstrap, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => {
      const text = readFileSync(path, "utf8");
      return { path: path.slice(bootstrap.length), mode: text.startsWith("#!") ? "0755" : "0644", text };
    });
}
