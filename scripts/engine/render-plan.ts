import { type Act, nounOf, type Plan, type PlanStep, providerOf } from "./plan.ts";

const order: readonly Act[] = ["make", "adopt", "change", "replace", "delete", "keep"];

/** A plan for people: one line for each name and act, what is destroyed last but for what is kept. */
export function renderPlan({ steps, unchangedCount }: Plan): string {
  // The engine announces what is independent in any order.
  const sorted = steps.toSorted((one, other) => keyOf(one).localeCompare(keyOf(other), "en"));
  const rows = order.flatMap((act) =>
    [...Map.groupBy(sorted, ({ name }) => name)].flatMap(([name, ofName]) => {
      const ofAct = ofName.filter((step) => step.act === act);
      return ofAct.length === 0 ? [] : [[act, name, describe(ofAct)]];
    }),
  );
  const table = rows.length === 0 ? [] : align([["ACT", "NAME", "WHAT"], ...rows]);
  return [...table, `${unchangedCount} unchanged`].join("\n");
}

function keyOf({ name, type }: PlanStep): string {
  return `${name} ${type}`;
}

function describe(steps: readonly PlanStep[]): string {
  const kinds = [...Map.groupBy(steps, ({ type }) => providerOf(type))].map(
    ([provider, ofProvider]) => `${provider} ${ofProvider.map(({ type }) => nounOf(type)).join(", ")}`,
  );
  const causes = [...new Set(steps.flatMap((step) => step.causes))];
  return causes.length === 0 ? kinds.join(", ") : `${kinds.join(", ")}: ${causes.join(", ")}`;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [first, second] = [widthOf(0), widthOf(1)];
  return rows.map(([act = "", name = "", what = ""]) => `${act.padEnd(first)}  ${name.padEnd(second)}  ${what}`);
}
