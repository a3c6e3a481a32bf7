import type { FastifyReply, FastifyRequest } from "fastify";

import type { Command } from "../database/command.ts";
import { isNothingToReplay } from "../database/idempotency.ts";
import type { Committed, Durability } from "../database/write-outcome.ts";
import type { Writer } from "../database/writer.ts";
import { NotReplicated } from "../replica/replication-options.ts";
import type { Replication } from "../replica/replication.ts";
import { Problem } from "./problem.ts";
import type { ServerConfig } from "./server-config.ts";
import { readDurability, readIdempotency } from "./write-headers.ts";

/** The part of the replication that answers and /ready need. Its values are null while the machine starts. */
export type Replica = Pick<
  Replication,
  "epoch" | "replicatedAgeMs" | "uploadProgress" | "replicaFault" | "bucketRefusal" | "replicate"
> & { readonly state: Replication["state"] | "starting"; readonly fence: Replication["fence"] | null };

/**
 * What a route wants to write, the status of full success, and the durability for requests that do not ask for one,
 * where the server's default is not enough.
 */
type Write<Input, Result> = {
  command: Command<Input, Result>;
  input: Input;
  status: 200 | 201;
  durability?: Durability;
};

/** The part of the writer that answers need. */
export type WriteExecutor = Pick<Writer, "execute">;

export type AnswerWrite = <Input, Result>(
  request: FastifyRequest,
  reply: FastifyReply,
  write: Write<Input, Result>,
) => Promise<Result>;

type WriteAnswerOptions = { writer: WriteExecutor; replication: Replica; config: ServerConfig };

/**
 * Makes the function that turns a write into an answer: execute, wait for the durability that was asked for, report
 * what was reached. A replay waits exactly like a first write. When the bucket is not reached in time, the answer is
 * 202 with `Durability: disk` and the cause in `Lifeboat-Not-Replicated`. Where the bucket is known to be unavailable,
 * an earlier write is replayed in the same way and a new one is refused.
 */
export function createAnswerWrite({ writer, replication, config }: WriteAnswerOptions): AnswerWrite {
  return async (request, reply, { command, input, status, durability = config.defaultDurability }) => {
    const wanted = readDurability(request.headers, durability);
    const idempotency = readIdempotency(request);
    const refusal = wanted === "bucket" ? replication.bucketRefusal : null;
    if (refusal !== null && idempotency === undefined) throw bucketProblem(refusal);
    const local = wanted === "bucket" ? "disk" : wanted;
    const options = { durability: local, ...(idempotency && { idempotency }) };
    const committed =
      refusal === null
        ? await writer.execute(command.name, input, options)
        : await replayOrRefuse(writer.execute(command.name, input, { ...options, replayOnly: true }), refusal);
    if (committed.replayed) reply.header("idempotency-replayed", "true");
    // Only now: a sync that began before the commit returned may not contain it.
    const missed =
      refusal === null && wanted === "bucket"
        ? await waitForBucket(replication, config.bucketTimeoutMs, request)
        : refusal && toHeaderText(refusal);
    if (wanted === "bucket" && replication.fence === "advisory") reply.header("lifeboat-fence", "advisory");
    if (missed === null) reply.code(status).header("durability", wanted);
    else reply.code(202).header("durability", local).header("lifeboat-not-replicated", missed);
    return sendResult(reply, committed);
  };
}

/** Sends the writer's JSON as it is. What is no object or list, such as null, is for Fastify to turn into a body. */
function sendResult(reply: FastifyReply, committed: Committed<unknown>): FastifyReply {
  const { resultJson } = committed;
  if (!/^[{[]/.test(resultJson)) return reply.send(committed.result);
  return reply.type("application/json; charset=utf-8").send(resultJson);
}

const bucketRetrySeconds = "5";

function bucketProblem(refusal: string): Problem {
  const detail = `This request wrote nothing, since the bucket cannot hold it now: ${refusal}. Retry, or ask for Durability: disk.`;
  return new Problem(503, "bucket-not-writable", detail, { headers: { "retry-after": bucketRetrySeconds } });
}

// Only the writer knows what was written with a key, including a request that waits in its queue.
async function replayOrRefuse(replay: Promise<Committed<unknown>>, refusal: string): Promise<Committed<unknown>> {
  try {
    return await replay;
  } catch (error) {
    throw isNothingToReplay(error) ? bucketProblem(refusal) : error;
  }
}

/**
 * Returns null when replicated, otherwise the cause. For the client every failure means the same: committed, not
 * replicated.
 */
async function waitForBucket(replication: Replica, timeoutMs: number, request: FastifyRequest): Promise<string | null> {
  try {
    await replication.replicate(timeoutMs);
    return null;
  } catch (error) {
    request.log.warn({ err: error }, "committed, not replicated");
    return error instanceof NotReplicated ? toHeaderText(error.message) : "replication failed";
  }
}

const headerTextLimit = 200;

function toHeaderText(text: string): string {
  return text
    .replaceAll(/[^\x21-\x7e]+/g, " ")
    .trim()
    .slice(0, headerTextLimit);
}
