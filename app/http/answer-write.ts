import type { FastifyReply, FastifyRequest } from "fastify";

import type { Idempotency } from "../database/idempotency.ts";
import type { Committed, Durability, LocalDurability } from "../database/write-outcome.ts";
import type { commands } from "../service/commands.ts";
import { readDurability } from "./durability.ts";
import { readIdempotency } from "./idempotency-key.ts";
import { Problem } from "./problem.ts";
import type { Replication } from "./replication.ts";
import type { ServerConfig } from "./server-config.ts";

type Commands = typeof commands;

/**
 * What a route wants written, the status when all that was asked for has been reached, and the durability for requests
 * that do not say, where the server's default is not enough.
 */
type Write = { status: 200 | 201; durability?: Durability } & {
  [Name in keyof Commands]: { command: Name; input: Parameters<Commands[Name]>[0] };
}[keyof Commands];

/** The part of the writer that answers need. */
export type WriteExecutor = {
  execute(
    command: string,
    input: unknown,
    options: { durability: LocalDurability; idempotency?: Idempotency },
  ): Promise<Committed<unknown>>;
};

export type AnswerWrite = (request: FastifyRequest, reply: FastifyReply, write: Write) => Promise<unknown>;

type WriteAnswerOptions = { writer: WriteExecutor; replication: Replication; config: ServerConfig };

/**
 * Makes the one function that turns a write into an answer: execute, wait for the durability that was asked for, say
 * what was really reached. A replay waits exactly like a first write. When the bucket is not reached in time the
 * answer is 202 with `Durability: disk` and the cause in `Lifeboat-Not-Replicated`.
 */
export function createAnswerWrite({ writer, replication, config }: WriteAnswerOptions): AnswerWrite {
  return async (request, reply, { command, input, status, durability = config.defaultDurability }) => {
    const wanted = readDurability(request.headers, durability);
    const idempotency = readIdempotency(request);
    if (wanted === "bucket") demandWritableBucket(replication);
    const local = wanted === "bucket" ? "disk" : wanted;
    const options = { durability: local, ...(idempotency && { idempotency }) };
    const { result, replayed } = await writer.execute(command, input, options);
    if (replayed) reply.header("idempotency-replayed", "true");
    // Only now: a sync that began before the commit returned may not hold it.
    const missed = wanted === "bucket" ? await waitForBucket(replication, config.bucketTimeoutMs, request) : null;
    if (wanted === "bucket" && replication.fence === "advisory") reply.header("lifeboat-fence", "advisory");
    if (missed === null) return reply.code(status).header("durability", wanted).send(result);
    return reply.code(202).header("durability", local).header("lifeboat-not-replicated", missed).send(result);
  };
}

const bucketRetrySeconds = "5";

function demandWritableBucket({ bucketRefusal }: Replication): void {
  if (bucketRefusal === null) return;
  const detail = `Nothing was written, since the bucket cannot hold it now: ${bucketRefusal}. Retry, or ask for Durability: disk.`;
  throw new Problem(503, "bucket-not-writable", detail, { headers: { "retry-after": bucketRetrySeconds } });
}

/**
 * Answers null when replicated, otherwise the cause. Any failure says the same to the client: committed, not
 * replicated.
 */
async function waitForBucket(
  replication: Replication,
  timeoutMs: number,
  request: FastifyRequest,
): Promise<string | null> {
  try {
    await replication.replicate(timeoutMs);
    return null;
  } catch (error) {
    request.log.warn({ err: error }, "committed, not replicated");
    return error instanceof Error && error.name === "NotReplicated"
      ? toHeaderText(error.message)
      : "replication failed";
  }
}

const headerTextLimit = 200;

function toHeaderText(text: string): string {
  return text
    .replaceAll(/[^\x21-\x7e]+/g, " ")
    .trim()
    .slice(0, headerTextLimit);
}
