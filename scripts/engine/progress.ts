import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";
import { Value } from "typebox/value";

import type { Transcript } from "../../app/cli/transcript.ts";
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

// The engine's `apitype.ProgressEvent`, which is missing in the SDK's types. The id names the plugin.
const FetchSchema = Type.Object({
  progressEvent: Type.Object({
    id: Type.String(),
    message: Type.String(),
    received: Type.Number(),
    total: Type.Number(),
    done: Type.Boolean(),
  }),
});

/**
 * Reports while a plan is made which plugins Pulumi downloads, which takes minutes the first time, and a sign of life
 * every ten seconds.
 */
export class PlanProgress implements Disposable {
  readonly #transcript: Transcript;
  readonly #startedAt = performance.now();
  readonly #fetching = new Map<string, string>();
  readonly #timer = setInterval(() => this.#note(), noteEveryMs);

  constructor(transcript: Transcript, purpose = "planning: what stands is looked at, in both clouds") {
    this.#transcript = transcript;
    transcript.line(purpose);
  }

  readonly listen = (event: EngineEvent): void => {
    if (!Value.Check(FetchSchema, event)) return;
    const { id, message, received, total, done } = event.progressEvent;
    if (!this.#fetching.has(id))
      this.#transcript.line(`  ...  ${message}${total > 0 ? `, ${renderMegabytes(total)} MB` : ""}`);
    if (done) this.#fetching.set(id, "");
    else
      this.#fetching.set(
        id,
        total > 0 ? `${message}, ${renderMegabytes(received)} of ${renderMegabytes(total)} MB` : message,
      );
  };

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #note(): void {
    const fetching = [...this.#fetching.values()].filter((text) => text !== "");
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    this.#transcript.line(`  ...  planning, for ${seconds} s${fetching.map((text) => `; ${text}`).join("")}`);
  }
}

function renderMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

/**
 * Reports an operation of the engine: one line for each finished resource, and every ten seconds what is still in
 * progress.
 */
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

/** The word for a finished operation. Null for one that nobody waits for. */
function wordOf(metadata: Metadata): string | null {
  const { op } = metadata;
  // For a replacement the engine reports three steps: "replace", which does nothing, and the creation and the deletion,
  // each with its own word.
  if (!isManaged(metadata) || op === "replace") return null;
  if (op === "create-replacement") return "made anew";
  if (op === "delete-replaced")
    return metadata.old?.retainOnDelete === true ? "kept, replaced" : "deleted, to be replaced";
  const act = actOf(metadata);
  return act === null ? null : words[act];
}
