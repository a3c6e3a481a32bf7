import { setTimeout as sleep } from "node:timers/promises";

import { product } from "../../app/service/product.ts";
import type { ServingMachine } from "./boot-scene.ts";
import { type FoundFact, nameOf, readFacts } from "./facts.ts";
import { HttpClient } from "./http-client.ts";
import { Receiver } from "./receiver.ts";
import type { Stage } from "./stage.ts";

/** A receiver of deliveries. It counts what is written from `sinceMs` on. */
export type Audience = Readonly<{ receiver: Receiver; sinceMs: number }> & AsyncDisposable;

/** What receivers got while machines died. */
export type Deliveries = Readonly<{
  /** The facts that were delivered, and how many of them more than once. */
  told: number;
  repeated: number;
  /** Of rows that no database holds any more: must be 0. */
  ofLost: number;
  /** Rows that exist but were never delivered: must be 0. */
  missing: number;
  /** Facts with several ids, or ids of several facts: must be 0. */
  ambiguous: number;
  /** With other content than was written, or unreadable: must be 0. */
  differing: number;
  examples: readonly string[];
}>;

const quietLimitMs = 30_000;
const exampleLimit = 10;

/** Subscribes a receiver, at `bucket`. Null for a product that delivers nothing. */
export async function openAudience(stage: Stage, { machine }: ServingMachine): Promise<Audience | null> {
  const { deliveries } = product.drill;
  if (deliveries === undefined) return null;
  const receiver = new Receiver(deliveries);
  const subscribe = async () => {
    const { path, body } = deliveries.subscribe(await receiver.listen());
    using client = new HttpClient(machine.target);
    const answer = await client.ask({ method: "POST", path, body, headers: { durability: "bucket" } });
    if (answer.status !== 200 && answer.status !== 201)
      throw new Error(`POST ${path} was answered ${answer.status} ${answer.text.slice(0, 300)}`);
  };
  await stage.transcript.step("somebody outside wants to be told", subscribe, () => "acknowledged at bucket");
  return { receiver, sinceMs: performance.now(), [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() };
}

/** Waits until the last machine has delivered everything, and compares the deliveries with its database. */
export async function compareDeliveries(
  stage: Stage,
  { machine }: ServingMachine,
  { receiver, sinceMs }: Audience,
): Promise<Deliveries> {
  const compare = async () => {
    const facts = [...readFacts(machine.databasePath)];
    let best = -1;
    for (let quietSince = performance.now(); performance.now() - quietSince < quietLimitMs; await sleep(100)) {
      if (listMissing(stage, facts, { receiver, sinceMs }).length === 0) break;
      if (receiver.count > best) [best, quietSince] = [receiver.count, performance.now()];
    }
    return judgeDeliveries(stage, facts, { receiver, sinceMs });
  };
  return stage.transcript.step("every delivery is compared with the rows", compare, renderDeliveries);
}

function renderDeliveries({ told, repeated, ofLost, missing, ambiguous }: Deliveries): string {
  return `${told} told, ${repeated} of them again; ${ofLost} of lost rows, ${missing} missing, ${ambiguous} with a second id`;
}

type Told = Pick<Audience, "receiver" | "sinceMs">;

function listMissing({ ledger }: Stage, facts: readonly FoundFact[], { receiver, sinceMs }: Told): FoundFact[] {
  const kinds = new Set(product.drill.deliveries?.kinds);
  return facts.filter(
    (fact) =>
      kinds.has(fact.kind) &&
      !receiver.told.has(nameOf(fact)) &&
      (ledger.find(fact)?.sentAtMs ?? Number.NEGATIVE_INFINITY) > sinceMs,
  );
}

function judgeDeliveries(stage: Stage, facts: readonly FoundFact[], audience: Told): Deliveries {
  const { receiver } = audience;
  const found = new Map(facts.map((fact) => [nameOf(fact), fact]));
  const told = [...receiver.told.values()];
  const lost = told.filter((fact) => !found.has(nameOf(fact)));
  const missing = listMissing(stage, facts, audience);
  const owners = new Map<string, string>();
  const ambiguous = told.filter((fact) => {
    const isShared = [...fact.ids].some((id) => (owners.get(id) ?? nameOf(fact)) !== nameOf(fact));
    for (const id of fact.ids) owners.set(id, nameOf(fact));
    return isShared || fact.ids.size > 1;
  });
  const differing = told.filter((fact) => (found.get(nameOf(fact)) ?? fact).sha256 !== fact.sha256);
  const words = [
    ...lost.map((fact) => `${nameOf(fact)} was told and is lost`),
    ...missing.map((fact) => `${nameOf(fact)} is there and nobody was told`),
    ...ambiguous.map((fact) => `${nameOf(fact)} was told as ${[...fact.ids].join(", ")}`),
    ...differing.map((fact) => `${nameOf(fact)} was told with other content`),
    ...receiver.faults,
  ];
  return {
    told: told.length,
    repeated: told.filter(({ count }) => count > 1).length,
    ofLost: lost.length,
    missing: missing.length,
    ambiguous: ambiguous.length,
    differing: differing.length + receiver.faults.length,
    examples: words.slice(0, exampleLimit),
  };
}
