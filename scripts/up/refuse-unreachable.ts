import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { Refused } from "../cli/run-verb.ts";
import type { Plan } from "../engine/plan.ts";
import { readSettings } from "../engine/read-settings.ts";

const ActivationSchema = Type.Object({ LIFEBOAT_SERVER: Type.Unknown(), LIFEBOAT_REACH: Type.Optional(Type.String()) });

/**
 * Without SSH a plan reaches the machine by the bucket. Throws Refused when the standing machine is older than that: it
 * has no key for the settings.
 */
export async function refuseUnreachable(stack: Stack, { steps }: Plan): Promise<void> {
  const networks = (await readSettings(stack)).get("adminCidrs") ?? "[]";
  if (!["", "[]"].includes(networks.trim())) return;
  const isOlder = steps.some(({ act, state }) => {
    const before = state["environment"];
    return act === "change" && Value.Check(ActivationSchema, before) && before.LIFEBOAT_REACH === undefined;
  });
  if (!isOlder) return;
  throw new Refused(
    "adminCidrs is empty, and this machine was made before settings could come by the bucket: it has no key to open them with; nothing was changed\n" +
      "  a new release alone: npm run deploy\n" +
      '  everything else: pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32" && npm run up\n' +
      "  or a machine that has one: npm run up -- --rebuild",
  );
}
