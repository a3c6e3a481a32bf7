import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { runCommand } from "./run-command.ts";

const root = join(import.meta.dirname, "../..");
const downloadLimitMs = 600_000;
const unpackLimitMs = 60_000;

const lockSchema = Type.Object({
  packages: Type.Record(
    Type.String(),
    Type.Object({ version: Type.Optional(Type.String()), integrity: Type.Optional(Type.String()) }),
  ),
});

export type NodeBinary = { version: string; path: string };

/**
 * The Node of a platform, as the lockfile pins it: npm has installed that of this computer; any other is downloaded into `folder` by npm and
 * believed only if it has the lockfile's hash. Throws when the lockfile does not name it, npm fails or the hash differs.
 */
export async function resolveNode(platform: string, folder: string): Promise<NodeBinary> {
  const name = `node-${platform}`;
  const { version, integrity } = readPin(name);
  const installed = join(root, "node_modules", name);
  if (existsSync(join(installed, "bin/node")) && readVersion(installed) === version)
    return { version, path: join(installed, "bin/node") };
  await runCommand("npm", ["pack", `${name}@${version}`, "--silent", "--prefix", root, "--pack-destination", folder], {
    timeoutMs: downloadLimitMs,
  });
  const archive = readdirSync(folder).find((file) => file.startsWith(name) && file.endsWith(".tgz"));
  if (archive === undefined) throw new Error(`npm downloaded no ${name}`);
  const found = `sha512-${createHash("sha512")
    .update(readFileSync(join(folder, archive)))
    .digest("base64")}`;
  if (found !== integrity) throw new Error(`${name} ${version} refused: ${found}, and the lockfile has ${integrity}`);
  const path = join(folder, name);
  await runCommand("tar", ["-xzOf", join(folder, archive), "package/bin/node"], {
    timeoutMs: unpackLimitMs,
    stdoutFile: path,
  });
  return { version, path };
}

function readPin(name: string): { version: string; integrity: string } {
  const lock = Value.Parse(lockSchema, JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined)
    throw new Error(`package-lock.json does not pin ${name}; add it to optionalDependencies`);
  return { version, integrity };
}

function readVersion(installed: string): string {
  const manifest = Value.Parse(
    Type.Object({ version: Type.String() }),
    JSON.parse(readFileSync(join(installed, "package.json"), "utf8")),
  );
  return manifest.version;
}
