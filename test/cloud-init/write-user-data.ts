import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { Type } from "typebox";
import { Value } from "typebox/value";
import { parse } from "yaml";

import type { MachineRoot } from "./machine-root.ts";

const schema = Type.Object({
  hostname: Type.String(),
  ssh_pwauth: Type.Boolean(),
  disable_ec2_metadata: Type.Boolean(),
  bootcmd: Type.Array(Type.Array(Type.String())),
  write_files: Type.Array(Type.Object({ path: Type.String(), permissions: Type.String(), content: Type.String() })),
  runcmd: Type.Array(Type.Array(Type.String())),
});

/** Reads user-data as cloud-init does. Throws when it holds anything that we do not use. */
export function parseUserData(text: string) {
  const parsed: unknown = parse(text);
  return Value.Parse(schema, parsed);
}

/** Does what cloud-init would do with write_files; returns runcmd. */
export function writeUserData(root: MachineRoot, text: string): string[][] {
  const { write_files: files, runcmd } = parseUserData(text);
  for (const { path, permissions, content } of files) {
    const inside = root.path(path);
    mkdirSync(dirname(inside), { recursive: true });
    writeFileSync(inside, content);
    chmodSync(inside, Number.parseInt(permissions, 8));
  }
  return runcmd;
}
