import type { MachineRoot } from "./machine-root.ts";

/** Replaces a command of the machine by a shell script. */
export async function stubCommand(root: MachineRoot, name: string, script: string): Promise<void> {
  const path = `/usr/local/sbin/${name}`;
  const { code, stderr } = await root.run(["sh", "-c", `cat >${path} && chmod 755 ${path}`], `#!/bin/sh\n${script}\n`);
  if (code !== 0) throw new Error(`${path} could not be written: ${stderr}`);
}
