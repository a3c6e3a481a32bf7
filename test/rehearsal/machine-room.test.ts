import { expect } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { findObstacle } from "../../scripts/virtual/find-obstacle.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { DrillProcess } from "../drill/drill-process.ts";

const timeout = 900_000;
const demand = { suite: "trixie", servers: 2, memoryMb: 1024 } as const;

machineTest(
  "a whole machine loses both disks, and the next one boots from the bucket and serves by HTTPS",
  { timeout },
  async ({ skip }) => {
    const obstacle = findObstacle(demand);
    skip(obstacle !== null, obstacle ?? "");
    using drill = new DrillProcess(["--room", "machine", "--act", "lost", "--json", "--seed", "7"], {}, timeout);
    expect(await drill.exited, drill.stderr).toBe(0);
    const report: unknown = JSON.parse(drill.stdout);
    expect(report).toMatchObject({
      ok: true,
      room: "machine",
      acts: [{ act: "lost", lost: { bucket: 0 }, differing: 0, duplicated: 0, unexpected: 0 }],
      certificates: 1,
      failures: [],
    });
    expect(drill.listLeftovers()).toEqual([]);
  },
);

machineTest("an interrupt while a machine boots leaves no file and no process", { timeout }, async ({ skip }) => {
  const obstacle = findObstacle(demand);
  skip(obstacle !== null, obstacle ?? "");
  using drill = new DrillProcess(["--room", "machine"], {}, timeout);
  await drill.waitForOutput("machine A boots");
  drill.signal("SIGINT");
  expect(await drill.exited).toBe(130);
  // The kernel ends QEMU with the drill, and takes a moment for its memory.
  const gone = async () => (drill.listLeftovers().length === 0 ? true : null);
  await waitFor("the end of QEMU", gone, { timeoutMs: 5_000 });
});
