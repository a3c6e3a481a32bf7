import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Ground } from "./open-project.ts";

/** A copy of what a user has after `git clone` and `npm ci`, so that a test may change it. */
export type Checkout = Readonly<{
  directory: string;
  /** Does what `npm run build` does, with any content. Returns the release's SHA-256. */
  build(content: string): Promise<string>;
}>;

const repository = dirname(dirname(dirname(import.meta.dirname)));
const shipped = ["Pulumi.yaml", "package.json", "package-lock.json", "infra", "cloud-init", "scripts", "app"];

export async function checkOut(project: Pick<Ground, "directory" | "workplace">): Promise<Checkout> {
  const directory = await mkdtemp(join(project.directory, "checkout-"));
  await Promise.all(shipped.map((name) => cp(join(repository, name), join(directory, name), { recursive: true })));
  await symlink(join(repository, "node_modules"), join(directory, "node_modules"));
  const build = async (content: string) => {
    const sha256 = createHash("sha256").update(content).digest("hex");
    await mkdir(join(directory, ".release"), { recursive: true });
    await writeFile(join(directory, ".release", `${sha256}.tar.gz`), content);
    const latest = { sha256, bytes: Buffer.byteLength(content), path: `.release/${sha256}.tar.gz` };
    await writeFile(join(directory, ".release", "latest-linux-x64.json"), JSON.stringify(latest));
    return sha256;
  };
  await build("release one");
  project.workplace.directory = join(directory, "infra");
  return { directory, build };
}
