import type { EngineEvent, OpType } from "@pulumi/pulumi/automation/index.js";

type Announcement = Readonly<{
  op: OpType;
  type: string;
  name: string;
  custom?: boolean;
  keys?: string[];
  diffs?: string[];
  retained?: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}>;

/** The event with which the engine announces one step, with the parts that are read. */
export function announce({
  op,
  type,
  name,
  custom = true,
  retained = false,
  inputs = {},
  outputs = {},
  ...changes
}: Announcement): EngineEvent {
  const urn = `urn:pulumi:production::lifeboat::${type}::${name}`;
  const state = { type, urn, custom, id: op === "create" ? "" : "4711", parent: "", inputs, outputs, provider: "" };
  const before = op === "create" || op === "import" ? {} : { old: { ...state, retainOnDelete: retained } };
  const after = op === "delete" || op === "delete-replaced" ? {} : { new: state };
  const metadata = { op, urn, type, provider: "", ...before, ...after, ...changes };
  return { sequence: 1, timestamp: 1, resourcePreEvent: { metadata, planning: true } };
}

export const serverType = "hcloud:index/server:Server";
export const volumeType = "hcloud:index/volume:Volume";
