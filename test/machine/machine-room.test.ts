import { expect, test } from "vitest";

import { findObstacle } from "../../scripts/virtual/find-obstacle.ts";
import { DrillProcess } from "../drill/drill-process.ts";

// What it says where it cannot run. That it runs is shown by test/rehearsal/machine-room.test.ts.
const demand = { suite: "trixie", servers: 2, memoryMb: 1024 } as const;

test("without QEMU the machine room says what to install, in one sentence, and leaves nothing", async () => {
  using drill = new DrillProcess(["--room", "machine"], { PATH: "/nowhere" });
  expect(await drill.exited).toBe(1);
  expect(drill.stdout).toMatch(/\[FAIL\] virtual machines need qemu-system-x86, .*: apt install qemu-system-x86/);
  expect(drill.listLeftovers()).toEqual([]);
});

test("more memory than there is, is refused with both figures", ({ skip }) => {
  const memoryMb = 1024 ** 3;
  skip(findObstacle(demand) !== null, "something else is missing first");
  expect(findObstacle({ ...demand, memoryMb })).toMatch(
    /^2 virtual machines need \d+ MB of memory, and \d+ MB are available: end something/,
  );
});
