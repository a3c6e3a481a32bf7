import { afterEach, expect, test, vi } from "vitest";

import { claimDeploy, DeployUnderWay } from "../../../scripts/deploy/wish.ts";
import { openCloudStore } from "../../../scripts/store/open-client.ts";
import { ScriptedStore } from "../store/scripted-store.ts";

afterEach(() => vi.useRealTimers());

// More than 15 minutes are refused by the store itself.
test(
  "a deployer whose clock is 12 minutes ahead takes no living deploy for a silent one",
  { timeout: 60_000 },
  async () => {
    await using scripted = await ScriptedStore.open();
    const place = scripted.place(await scripted.newBucket());
    const open = () => openCloudStore(place, async () => scripted.access.secretAccessKey);
    using ada = await open();
    await claimDeploy(ada, { sha256: "1".repeat(64), by: "ada", way: "bucket" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 12 * 60_000 });
    using bob = await open();
    const claimed = claimDeploy(bob, { sha256: "2".repeat(64), by: "bob", way: "bucket" });
    await expect(claimed).rejects.toThrow(DeployUnderWay);
  },
);
