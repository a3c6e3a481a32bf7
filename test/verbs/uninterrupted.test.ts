import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { expect, test } from "vitest";

const source = join(import.meta.dirname, "../../app/verbs/ordered-boot.ts");
const program = `
import { setTimeout as sleep } from "node:timers/promises";
const { uninterrupted } = await import(${JSON.stringify(source)});
await uninterrupted(async () => { console.log("stopped"); await sleep(700); console.log("started"); });
`;

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s between a stop and a start does not keep the app down",
  async (name) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    let said = "";
    child.stdout.setEncoding("utf8");
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said === "stopped\n") child.kill(name);
    }
    expect(said).toBe("stopped\nstarted\n");
    expect(await ended).toEqual([0, null]);
  },
);
