import { afterEach, beforeEach, expect, test } from "vitest";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { HetznerProject, type OldServer } from "../../../scripts/hetzner/hetzner-project.ts";
import { noFaults } from "../../engine/hcloud/faults.ts";
import { type ServedCloud, serveHcloud } from "../../engine/hcloud/serve-hcloud.ts";

const labels = { lifeboat: "production" };
let hetzner: ServedCloud;
let project: HetznerProject;

beforeEach(async () => {
  hetzner = await serveHcloud();
  project = new HetznerProject(hetzner);
});
afterEach(() => hetzner[Symbol.asyncDispose]());

test("a server that is off already is not asked to shut down", async () => {
  const server = await makeServer();
  await project.shutDown(server);
  await project.shutDown(server);
  const shutdowns = hetzner.calls.filter(({ call, status }) => call.endsWith("shutdown") && status === 201);
  expect(shutdowns).toHaveLength(1);
});

test("a deletion ends when Hetzner knows the server no more, and is not surprised by one that is gone", async () => {
  const server = await makeServer();
  await project.shutDown(server);
  hetzner.cloud.faults = { ...noFaults, slowness: 20 };
  await project.deleteServer(server);
  expect(hetzner.cloud.servers.size).toBe(0);
  await project.deleteServer(server);
});

test("a volume that somebody has protected is deleted only after that was lifted", async () => {
  await post("volumes", { name: "data", size: 10, location: "fsn1", labels });
  const [volume] = await project.listVolumes(labels);
  const id = volume?.id ?? 0;
  await post(`volumes/${id}/actions/change_protection`, { delete: true });
  await expect(project.deleteVolume({ id })).rejects.toThrow("protected");
  await project.unprotectVolume({ id });
  await project.deleteVolume({ id });
  expect(hetzner.cloud.volumes.size).toBe(0);
});

async function makeServer(): Promise<OldServer> {
  await post("servers", { name: "app", server_type: "cx33", image: "debian-12", location: "fsn1", labels });
  const [server] = await project.listServers(labels);
  if (server === undefined) throw new Error("the double has made no server");
  return server;
}

/** Asks again while an action still runs. */
async function post(path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${hetzner.token}` };
  const ask = async () => {
    const answer = await fetch(`${hetzner.endpoint}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return answer.ok ? true : null;
  };
  await waitFor(`POST ${path}`, ask, { timeoutMs: 5_000 });
}
