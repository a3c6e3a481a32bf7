import { addressEur } from "../../infra/cost/monthly-cost.ts";
import { findKept } from "./find-refusals.ts";
import type { Plan } from "./plan.ts";

/** Says which addresses of a plan leave the stack, stay reserved and cost money. Null when there are none. */
export function renderKeptAddresses(plan: Plan): string | null {
  const kept = findKept(plan).filter(({ type }) => type === "hcloud:index/primaryIp:PrimaryIp");
  if (kept.length === 0) return null;
  const lines = kept.map(({ state }) => {
    const price = state["type"] === "ipv4" ? `${addressEur.toFixed(2)} EUR a month` : "free";
    return `address ${String(state["ipAddress"])} stays reserved in ${String(state["location"])} (${price})`;
  });
  return [
    ...lines,
    "The next npm run up there takes them, so DNS stays true. If you do not come back: delete them in Hetzner's console. To have them given back with the machine: pulumi config set keepAddress false && npm run up, before a npm run down",
  ].join("\n");
}
