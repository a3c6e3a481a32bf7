import type { EngineEvent, OpType } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

/** What happens to a resource. `keep`: it leaves the stack and stays in the cloud. */
export type Act = "make" | "adopt" | "change" | "replace" | "delete" | "keep";

export type PlanStep = {
  name: string;
  /** Pulumi's type, such as hcloud:index/server:Server. */
  type: string;
  act: Act;
  /** The properties that make it necessary. Empty when the engine names none. */
  causes: readonly string[];
  /** Whether it stays in the cloud when it leaves the stack. */
  isRetained: boolean;
  /** The cloud's id of the existing resource, and everything known of it. */
  id: string | undefined;
  state: Readonly<Record<string, unknown>>;
  /** The inputs that the program asks for. For a deleted resource, those that it had asked for. */
  inputs: Readonly<Record<string, unknown>>;
};

export type Plan = {
  steps: readonly PlanStep[];
  unchangedCount: number;
  /** What is known of the stack's outputs before anything is done. */
  outputs: Readonly<Record<string, unknown>>;
  /** Tells the program's scripts where the bucket is. Undefined in a plan without such scripts. */
  storeEnvironment: Readonly<Record<string, string>> | undefined;
};

type Metadata = NonNullable<EngineEvent["resourcePreEvent"]>["metadata"];

/** Reads what the engine announced in a preview, one step for each resource that changes. */
export function readPlan(events: readonly EngineEvent[]): Plan {
  const announced = events.flatMap(({ resourcePreEvent }) => resourcePreEvent?.metadata ?? []).filter(isManaged);
  const steps = new Map<string, PlanStep>();
  for (const metadata of announced) {
    const act = actOf(metadata);
    if (act === null) continue;
    const before = steps.get(metadata.urn);
    const step = describeStep(metadata, act);
    // A replacement is announced three times, and not always with its cause.
    steps.set(metadata.urn, before === undefined ? step : joinSteps(before, step));
  }
  const unchanged = announced.filter(({ op, urn }) => op === "same" && !steps.has(urn));
  return {
    steps: [...steps.values()],
    unchangedCount: unchanged.length,
    outputs: readOutputs(events),
    storeEnvironment: findStoreEnvironment(announced.map(({ old, new: next }) => next?.inputs ?? old?.inputs)),
  };
}

const StoreScriptSchema = Type.Object({
  environment: Type.Intersect([
    Type.Object({ LIFEBOAT_BUCKET: Type.String({ minLength: 1 }) }),
    Type.Record(Type.String(), Type.String()),
  ]),
});

/**
 * Where the bucket is, as the program tells its scripts (infra/survey/locate-store.ts), from the inputs of its
 * resources. Undefined when none of them is such a script.
 */
export function findStoreEnvironment(inputs: readonly unknown[]): Record<string, string> | undefined {
  return inputs.find((given) => Value.Check(StoreScriptSchema, given))?.environment;
}

const ActivationSchema = Type.Object({ environment: Type.Object({ LIFEBOAT_SERVER: Type.Unknown() }) });

/** Whether the plan runs the program's script on the machine, which ends only when the machine answers. */
export function activates({ steps }: Plan): boolean {
  return steps.some(({ act, inputs }) => act !== "delete" && Value.Check(ActivationSchema, inputs));
}

const cardKey = Type.Literal("recovery-card.txt");
const CardObjectSchema = Type.Object({ key: cardKey, content: Type.String() });
const CardUploadSchema = Type.Object({
  environment: Type.Object({ LIFEBOAT_KEY: cardKey, LIFEBOAT_TEXT: Type.String() }),
});

/**
 * The recovery card that the plan puts into the bucket or leaves there: the provider's object or, at a given store, our
 * own upload.
 */
export function findCard({ steps }: Plan): string | undefined {
  for (const { inputs } of steps) {
    if (Value.Check(CardObjectSchema, inputs)) return inputs.content;
    if (Value.Check(CardUploadSchema, inputs)) return inputs.environment.LIFEBOAT_TEXT;
  }
  return undefined;
}

/** The plan, with resources that only leave the state and are deleted afterwards marked as deleted. */
export function announceDeletion(plan: Plan, deleted: readonly PlanStep[], when: string): Plan {
  const announce = (step: PlanStep): PlanStep =>
    deleted.includes(step) ? { ...step, act: "delete", causes: [when] } : step;
  return { ...plan, steps: plan.steps.map(announce) };
}

/** The act of an operation. Null when the resource does not change. */
export function actOf({ op, old }: Pick<Metadata, "op" | "old">): Act | null {
  if (op === "delete") return old?.retainOnDelete === true ? "keep" : "delete";
  return acts[op] ?? null;
}

/** Whether it is a cloud resource, and not a component or provider of the program. */
export function isManaged({ type, old, new: next }: Metadata): boolean {
  return (next?.custom ?? old?.custom) === true && !type.startsWith("pulumi:");
}

/** "hcloud" of hcloud:index/server:Server. */
export function providerOf(type: string): string {
  return type.split(":")[0] ?? type;
}

/** "Server" of hcloud:index/server:Server. */
export function nounOf(type: string): string {
  return type.split(":").at(-1) ?? type;
}

/** The last part of a URN. */
export function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? urn;
}

/** A type for people: "hcloud Server". */
export function kindOf(type: string): string {
  return `${providerOf(type)} ${nounOf(type)}`;
}

const acts: Partial<Record<OpType, Act>> = {
  create: "make",
  import: "adopt",
  update: "change",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
};

function describeStep({ urn, type, keys, diffs, old, new: next }: Metadata, act: Act): PlanStep {
  return {
    name: nameOf(urn),
    type,
    act,
    causes: (act === "change" ? diffs : keys) ?? [],
    isRetained: old?.retainOnDelete === true,
    id: old?.id,
    state: old?.outputs ?? {},
    inputs: next?.inputs ?? old?.inputs ?? {},
  };
}

function joinSteps(before: PlanStep, step: PlanStep): PlanStep {
  return {
    ...before,
    state: { ...before.state, ...step.state },
    inputs: { ...before.inputs, ...step.inputs },
    causes: [...new Set([...before.causes, ...step.causes])],
    isRetained: before.isRetained || step.isRetained,
    id: before.id ?? step.id,
  };
}

function readOutputs(events: readonly EngineEvent[]): Record<string, unknown> {
  const ofStack = events.flatMap(({ resOutputsEvent }) => resOutputsEvent?.metadata ?? []);
  const found: Record<string, unknown>[] = ofStack
    .filter(({ type }) => type === "pulumi:pulumi:Stack")
    .map(({ op, old, new: next }) => (op === "delete" ? old?.outputs : next?.outputs) ?? {});
  return Object.assign({}, ...found);
}
