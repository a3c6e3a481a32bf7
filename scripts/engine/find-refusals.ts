import { kindOf, type Plan, type PlanStep } from "./plan.ts";

/**
 * Lists what a plan may not do: replace the server unless that was requested, and ever delete data. What stays in the
 * cloud when it leaves the stack does not count as deleted. Empty when nothing is wrong.
 */
export function findRefusals({ steps }: Plan, { mayReplaceServer }: { mayReplaceServer: boolean }): string[] {
  return steps.filter(takesAway).flatMap((step) => {
    if (holdsData(step)) return step.isRetained ? [] : [refuseData(step)];
    return isServer(step) && !mayReplaceServer ? [refuseServer(step)] : [];
  });
}

/** The server that the plan changes, if any. */
export function findServer({ steps }: Plan): PlanStep | undefined {
  return steps.find(isServer);
}

/** The existing server that a plan deletes, if any. */
export function findDoomedServer({ steps }: Plan): PlanStep | undefined {
  return steps.find((step) => isServer(step) && takesAway(step));
}

/** Resources that leave the stack and stay in the cloud. */
export function findKept({ steps }: Plan): PlanStep[] {
  return steps.filter(({ act }) => act === "keep");
}

/** The volumes that leave the stack, stay in the cloud, and have no delete protection in the state. */
export function findUnprotectedVolumes(plan: Plan): PlanStep[] {
  return findKept(plan).filter((step) => isVolume(step) && step.state["deleteProtection"] === false);
}

function takesAway({ act }: PlanStep): boolean {
  return act === "replace" || act === "delete" || act === "keep";
}

function isServer({ type }: PlanStep): boolean {
  return type === "hcloud:index/server:Server";
}

function isVolume({ type }: PlanStep): boolean {
  return type === "hcloud:index/volume:Volume";
}

// Settings of a bucket count as data: without versioning, for example, what is overwritten is lost.
function holdsData(step: PlanStep): boolean {
  return isVolume(step) || step.type.startsWith("aws:s3/");
}

function refuseServer(step: PlanStep): string {
  const because = step.causes.length === 0 ? "as config `rebuild` asks" : `because of ${step.causes.join(", ")}`;
  return (
    `${describe(step)} would be ${pastOf(step)} ${because}: it is shut down, deleted and bought anew. ` +
    "If that is wanted, add --approve-replacement"
  );
}

function refuseData(step: PlanStep): string {
  const because = step.causes.length === 0 ? "" : ` because of ${step.causes.join(", ")}`;
  return `${describe(step)} would be ${pastOf(step)}${because}, and its data with it. No flag allows that: take the change back, then npm run up`;
}

function describe({ name, type }: PlanStep): string {
  return `${name} (${kindOf(type)})`;
}

function pastOf({ act }: PlanStep): string {
  return act === "replace" ? "replaced" : "deleted";
}
