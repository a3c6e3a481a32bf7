import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { Refused } from "../../app/cli/command-line.ts";
import type { Plan, PlanStep } from "../engine/plan.ts";
import { readSettings } from "../engine/read-settings.ts";

const ActivationSchema = Type.Object({ LIFEBOAT_SERVER: Type.Unknown(), LIFEBOAT_REACH: Type.Optional(Type.String()) });

/**
 * Without SSH a plan reaches the machine by the bucket. Throws Refused when the standing machine could not open what it
 * finds there: it is older than that and has no key for the settings, or the plan makes another key.
 */
export async function refuseUnreachable(stack: Stack, { steps }: Plan): Promise<void> {
  const networks = (await readSettings(stack)).get("adminCidrs") ?? "[]";
  if (!["", "[]"].includes(networks.trim())) return;
  if (steps.some(isNewKey) && !steps.some(isNewServer)) {
    throw new Refused(
      "settingsKeyGeneration makes another key for the settings, and adminCidrs is empty: what comes by the bucket is sealed with the machine's own key, which may be known to others; nothing was changed\n" +
        `  to bring it by SSH: ${openSsh}\n` +
        "  or a machine that has it from birth: npm run up -- --rebuild",
    );
  }
  const isOlder = steps.some(({ act, state }) => {
    const before = state["environment"];
    return act === "change" && Value.Check(ActivationSchema, before) && before.LIFEBOAT_REACH === undefined;
  });
  if (!isOlder) return;
  throw new Refused(
    "adminCidrs is empty, and this machine was made before settings could come by the bucket: it has no key to open them with; nothing was changed\n" +
      "  a new release alone: npm run deploy\n" +
      `  everything else: ${openSsh}\n` +
      "  or a machine that has one: npm run up -- --rebuild",
  );
}

const openSsh = 'pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32" && npm run up';

/** A standing machine has the key of before (infra/components/settings-key.ts). */
function isNewKey({ name, act }: PlanStep): boolean {
  return name === "settings-key" && act === "replace";
}

function isNewServer({ type, act }: PlanStep): boolean {
  return type === "hcloud:index/server:Server" && (act === "make" || act === "replace");
}
