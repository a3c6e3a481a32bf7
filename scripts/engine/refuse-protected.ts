import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { Refused } from "../../app/cli/command-line.ts";
import { openHetzner } from "../hetzner/open-hetzner.ts";
import { kindOf, type Plan } from "./plan.ts";

const kinds = new Map([
  ["hcloud:index/server:Server", "servers"],
  ["hcloud:index/primaryIp:PrimaryIp", "primary_ips"],
] as const);

/**
 * Asks Hetzner whether somebody has protected from deletion what a plan deletes. Throws Refused then: the deletion
 * would fail half-way, with the services stopped and the server shut down. The state does not show it, because it is as
 * old as the last refresh.
 */
export async function refuseProtected(stack: Stack, { steps }: Plan): Promise<void> {
  const doomed = steps.filter(({ act, id }) => id !== undefined && (act === "delete" || act === "replace"));
  const found = [...kinds].flatMap(([type, kind]) =>
    doomed.filter((step) => step.type === type).map((step) => ({ kind, step })),
  );
  if (found.length === 0) return;
  const hetzner = await openHetzner(stack);
  const held: string[] = [];
  for (const { kind, step } of found)
    if (await hetzner.isProtected(kind, Number(step.id)))
      held.push(`${kindOf(step.type)} ${String(step.state["name"])} (${step.id})`);
  if (held.length > 0) throw refuseDeletion(held);
}

/** Explains why a resource is not deleted, and what to do. */
export function refuseDeletion(held: readonly string[]): Refused {
  return new Refused(
    `somebody has protected ${held.join(" and ")} from deletion at Hetzner, and it is not for this verb to lift that. Nothing was changed. ` +
      "If it may go, lift the protection in Hetzner's console, then npm run up or npm run down again",
  );
}
