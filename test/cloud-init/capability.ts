import { readFileSync } from "node:fs";

const capSysResource = 24n;

/** Whether this computer's kernel lets us grow ext4: it takes CAP_SYS_RESOURCE, which many a container lacks. */
export const mayGrowExt4 = ((effectiveCapabilities() >> capSysResource) & 1n) === 1n;

function effectiveCapabilities(): bigint {
  const bits = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return BigInt(`0x${bits}`);
}
