import { kindOf, type Plan, type PlanStep } from "./plan.ts";

/**
 * Names what a plan may not do: replace the server unless that was asked for, and ever take data away. What the cloud keeps
 * when it leaves the stack is not taken away. Empty: nothing stands against it.
 */
export function findRefusals({ steps }: Plan, { mayReplaceServer }: { mayReplaceServer: boolean }): string[] {
  return steps.filter(takesAway).flatMap((step) => {
    if (holdsData(step)) return step.isRetained ? [] : [refuseData(step)];
    return isServer(step) && !mayReplaceServer ? [refuseServer(step)] : [];
  });
}

/** The server of a plan, if the plan touches it. */
export function findServer({ steps }: Plan): PlanStep | undefined {
  return steps.find(isServer);
}

/** The server that stands and that a plan takes away, if it does. */
export function findDoomedServer({ steps }: Plan): PlanStep | undefined {
  return steps.find((step) => isServer(step) && takesAway(step));
}

/** What leaves the stack and stays in the cloud. */
export function findKept({ steps }: Plan): PlanStep[] {
  return steps.filter(({ act }) => act === "keep");
}

/** The volumes that leave the stack, stay in the cloud, and that the state knows to have no delete protection. */
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

// Settings of a bucket count as data: without versioning, say, what is overwritten is lost.
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
