import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";

import type { Transcript } from "../verb/transcript.ts";
import { type Act, actOf, isManaged, kindOf, nameOf } from "./plan.ts";

type Metadata = NonNullable<EngineEvent["resourcePreEvent"]>["metadata"];

const words: Record<Act, string> = {
  make: "made",
  adopt: "adopted",
  change: "changed",
  replace: "replaced",
  delete: "deleted",
  keep: "kept, no longer in the stack",
};
const noteEveryMs = 10_000;

/** Tells an operation of the engine: one line for each resource that is done, and every ten seconds what is still under way. */
export class Progress implements Disposable {
  readonly #transcript: Transcript;
  readonly #underWay = new Map<string, { name: string; startedAt: number }>();
  readonly #timer = setInterval(() => this.#note(), noteEveryMs);

  constructor(transcript: Transcript) {
    this.#transcript = transcript;
  }

  readonly listen = ({ resourcePreEvent, resOutputsEvent, resOpFailedEvent }: EngineEvent): void => {
    if (resourcePreEvent !== undefined) this.#begin(resourcePreEvent.metadata);
    if (resOutputsEvent !== undefined) this.#end("PASS", resOutputsEvent.metadata);
    if (resOpFailedEvent !== undefined) this.#end("FAIL", resOpFailedEvent.metadata);
  };

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #begin(metadata: Metadata): void {
    if (wordOf(metadata) === null) return;
    const name = `${nameOf(metadata.urn)} (${kindOf(metadata.type)})`;
    this.#underWay.set(keyOf(metadata), { name, startedAt: performance.now() });
  }

  #end(mark: "PASS" | "FAIL", metadata: Metadata): void {
    const begun = this.#underWay.get(keyOf(metadata));
    const word = wordOf(metadata);
    if (begun === undefined || word === null) return;
    this.#underWay.delete(keyOf(metadata));
    const evidence = mark === "PASS" ? word : `not ${word}`;
    this.#transcript.check(mark, begun.name, { evidence, durationMs: performance.now() - begun.startedAt });
  }

  #note(): void {
    for (const { name, startedAt } of this.#underWay.values())
      this.#transcript.line(`  ...  ${name}, for ${Math.round((performance.now() - startedAt) / 1000)} s`);
  }
}

function keyOf({ op, urn }: Metadata): string {
  return `${op} ${urn}`;
}

/** What is said when the operation is done; null for what nobody waits for. */
function wordOf(metadata: Metadata): string | null {
  const { op } = metadata;
  // The engine's own bracket around the two that follow.
  if (!isManaged(metadata) || op === "replace") return null;
  if (op === "create-replacement") return "made anew";
  if (op === "delete-replaced")
    return metadata.old?.retainOnDelete === true ? "kept, replaced" : "deleted, to be replaced";
  const act = actOf(metadata);
  return act === null ? null : words[act];
}
