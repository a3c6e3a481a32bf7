import * as hcloud from "@pulumi/hcloud";
import { expect, test } from "vitest";

import { openProject } from "./project/open-project.ts";
import { openInlineStack } from "./project/open-stack.ts";

/** A server of which a replacement is ordered by its user-data, as the provider's ForceNew has it. */
function declareServer(userData: string): hcloud.Server {
  return new hcloud.Server(
    "app",
    { name: "app", serverType: "cx33", image: "debian-12", location: "fsn1", userData, shutdownBeforeDeletion: true },
    { deleteBeforeReplace: true },
  );
}

function attachByAttachment(userData: string): void {
  const server = declareServer(userData);
  const volume = new hcloud.Volume("data", { name: "data", size: 10, location: "fsn1" });
  void new hcloud.VolumeAttachment("data", { serverId: server.id.apply(Number), volumeId: volume.id.apply(Number) });
}

function attachByServerId(userData: string): void {
  const server = declareServer(userData);
  void new hcloud.Volume("data", { name: "data", size: 10, serverId: server.id.apply(Number) });
}

async function replaceServer(declare: (userData: string) => void): Promise<string[]> {
  await using project = await openProject();
  let userData = "#cloud-config\n# one\n";
  const stack = await openInlineStack(project, "test", async () => declare(userData));
  await stack.up();
  project.hetzner.calls.length = 0;
  userData = "#cloud-config\n# two\n";
  await stack.up();
  return project.hetzner.calls.map(({ call }) => call);
}

test("a VolumeAttachment pulls the disk out of the running machine before it is shut down", async () => {
  expect(await replaceServer(attachByAttachment)).toEqual([
    "POST volumes/data/actions/detach",
    "POST servers/app/actions/shutdown",
    "DELETE servers/app",
    "POST servers/app",
    "POST volumes/data/actions/attach",
  ]);
});

test("a volume that names its server keeps its disk until the machine is shut down", async () => {
  expect(await replaceServer(attachByServerId)).toEqual([
    "POST servers/app/actions/shutdown",
    "DELETE servers/app",
    "POST servers/app",
    "POST volumes/data/actions/attach",
  ]);
});
