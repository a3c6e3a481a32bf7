import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { Refused } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import { findServer, findDoomedServer } from "../engine/find-refusals.ts";
import type { Plan } from "../engine/plan.ts";
import { readSettings } from "../engine/read-settings.ts";
import { refuseDeletion } from "../engine/refuse-protected.ts";
import type { HetznerProject, Labels, OldServer } from "../hetzner/hetzner-project.ts";
import { openHetzner, readLabels } from "../hetzner/open-hetzner.ts";

/** A machine that still runs for a bucket, and is in the way of the new one. */
export type OldMachine = {
  hetzner: HetznerProject;
  labels: Labels;
  servers: readonly OldServer[];
  /** The zone in which it has its records. */
  zone: string | undefined;
};

/**
 * Finds the existing machine and reports it. Throws Refused when it may not be deleted, or no other could be bought in
 * its place.
 */
export async function findOldMachine(stack: Stack, plan: Plan, transcript: Transcript): Promise<OldMachine> {
  const labels = readLabels(plan);
  const hetzner = await openHetzner(stack);
  const servers = await hetzner.listServers(labels);
  const held = servers.filter(({ protection }) => protection.delete);
  if (held.length > 0) throw refuseDeletion(held.map(({ name, id }) => `server ${name} (${id})`));
  if (servers.length > 0) await demandSuccessor(stack, plan, hetzner);
  for (const { name, id, public_net } of servers) {
    const address = public_net.ipv4?.ip ?? "no address";
    transcript.line(
      `server ${name} (${id}, ${address}) still stands: it is shut down and deleted; its volume and address are taken over`,
    );
  }
  return { hetzner, labels, servers, zone: (await readSettings(stack)).get("dnsZone") || undefined };
}

/**
 * Removes it: shuts it down, so that it ends with a final sync, then deletes it, and its records, which the new state
 * could not take over. Its volume and its addresses stay for the new one.
 */
export async function retireMachine(old: OldMachine, transcript: Transcript): Promise<void> {
  const { hetzner, labels, servers } = old;
  for (const server of servers) {
    const name = `${server.name} (${server.id})`;
    await transcript.step(
      `shut down ${name}`,
      () => hetzner.shutDown(server),
      () => "off",
    );
    await transcript.step(
      `delete ${name}`,
      () => hetzner.deleteServer(server),
      () => "deleted",
    );
  }
  await hetzner.deleteFirewalls(labels);
  if (old.zone !== undefined) await hetzner.deleteRecords(old.zone, labels);
}

// While the old machine exists, the program plans with its type, even when that is sold out.
async function demandSuccessor(stack: Stack, plan: Plan, hetzner: HetznerProject): Promise<void> {
  const wanted = await readWantedTypes(stack);
  const location = String(findServer(plan)?.inputs["location"]);
  const offers = (await hetzner.listOffers()).filter(({ name }) => wanted.includes(name));
  if (offers.some(({ availableIn }) => availableIn.includes(location))) return;
  const elsewhere = [...new Set(offers.flatMap(({ availableIn }) => availableIn))];
  const ways = elsewhere.length === 0 ? "wait" : `wait, or move with --location ${elsewhere.join(" or --location ")}`;
  throw new Refused(
    `server type ${wanted.join(", ")} is sold out in ${location}: the old machine would be deleted and no new one made. ` +
      `Nothing was changed; ${ways}`,
  );
}

async function readWantedTypes(stack: Stack): Promise<string[]> {
  const settings = await readSettings(stack);
  const fallbacks: unknown = JSON.parse(settings.get("serverTypeFallbacks") ?? "[]");
  const first = settings.get("serverType");
  return [...(first === undefined ? [] : [first]), ...Value.Parse(Type.Array(Type.String()), fallbacks)];
}

/**
 * Turns a replacement whose server is already gone into a creation, which needs no approval. After an update that was
 * cut off between deletion and creation, the engine announces the replacement again, even with a refresh.
 */
export async function recogniseGoneServer(stack: Stack, plan: Plan): Promise<Plan> {
  const doomed = findDoomedServer(plan);
  if (doomed?.act !== "replace") return plan;
  const hetzner = await openHetzner(stack);
  if (await hetzner.hasServer(Number(doomed.id))) return plan;
  return { ...plan, steps: plan.steps.map((step) => (step === doomed ? { ...step, act: "make" } : step)) };
}
