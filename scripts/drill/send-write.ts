import { Type } from "typebox";
import { Value } from "typebox/value";

import type { Write } from "./author.ts";
import type { Durability } from "./facts.ts";
import { type Answer, CutOff, type HttpClient } from "./http-client.ts";
import type { Entry, Ledger } from "./ledger.ts";

/**
 * What became of one request. `reached`: all that was asked for. `fell-short`: written, not replicated in time.
 * `refused`: nothing was written. `unknown`: the server does not know. `gone`: there is no server any more.
 */
export type Outcome = Readonly<
  { kind: "reached" | "fell-short"; id: string } | { kind: "refused" | "unknown" | "gone" }
>;

export type Sending = Readonly<{
  client: HttpClient;
  ledger: Ledger;
  durability: Durability;
  /** After a disaster the row that this write refers to may be lost, so 404 and 422 are correct answers. */
  baseMayBeLost?: boolean;
}>;

/** Sends one write and records its answer in the ledger. Throws when the answer breaks the protocol. */
export async function sendWrite(write: Write, entry: Entry, sending: Sending): Promise<Outcome> {
  const { client, ledger, durability } = sending;
  const headers = { durability, ...(write.key !== null && { "idempotency-key": write.key }) };
  try {
    const answer = await client.ask({ method: "POST", path: write.made.path, headers, body: write.made.body });
    const fairRefusal = sending.baseMayBeLost === true && (answer.status === 404 || answer.status === 422);
    const outcome = fairRefusal ? ({ kind: "refused" } as const) : readOutcome(answer, durability);
    if ("id" in outcome) ledger.acknowledge(entry, outcome);
    else if (outcome.kind === "refused") ledger.refuse(entry);
    else ledger.cutOff(entry);
    return outcome;
  } catch (error) {
    if (!(error instanceof CutOff)) throw error;
    if (error.sent) ledger.cutOff(entry);
    else ledger.refuse(entry);
    return { kind: "gone" };
  }
}

type Promised = Readonly<{ kind: "reached" | "fell-short"; id: string; reached: Durability }>;

/** Reads the promise of an answer. Throws for an answer that no valid write may get. */
export function readOutcome(answer: Answer, asked: Durability): Promised | { kind: "refused" | "unknown" } {
  const { status } = answer;
  if (status === 503) return { kind: "refused" };
  if (status >= 500) return { kind: "unknown" };
  if (status !== 200 && status !== 201 && status !== 202) throw protocolBroken(answer, "a valid write was refused");
  const reached = readDurability(answer);
  if ((status === 202) === (reached === asked)) {
    throw protocolBroken(answer, `asked for ${asked}, reached ${reached}: the status says something else`);
  }
  return { kind: status === 202 ? "fell-short" : "reached", id: readId(answer), reached };
}

function readDurability(answer: Answer): Durability {
  const header = answer.headers["durability"];
  if (header === "commit" || header === "disk" || header === "bucket") return header;
  throw protocolBroken(answer, "the Durability header is missing");
}

const Created = Type.Object({ id: Type.String() });

function readId(answer: Answer): string {
  try {
    return Value.Parse(Created, JSON.parse(answer.text)).id;
  } catch (cause) {
    throw protocolBroken(answer, "the body names no id", cause);
  }
}

function protocolBroken(answer: Answer, words: string, cause?: unknown): Error {
  return new Error(`${words}: the server answered ${answer.status} ${answer.text.slice(0, 300)}`, { cause });
}
