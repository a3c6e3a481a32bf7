import { type Static, Type } from "typebox";

import { type CommandContext, defineCommand } from "../database/command.ts";
import { defineHandler } from "../database/outbox.ts";
import { query, type Reading, type Transaction } from "../database/transaction.ts";
import { CommandRejected } from "../database/write-outcome.ts";
import type { RouteContext, Server } from "../http/product-routes.ts";
import { pageOf, pageQuery, readPage, type Slice } from "../http/reads.ts";
import type { Invoice } from "./invoice.ts";
import { tables } from "./tables.ts";

const WebhookInput = Type.Object(
  { url: Type.String({ maxLength: 2_000, pattern: "^https?://[!-~]+$" }) },
  { additionalProperties: false },
);
const Webhook = Type.Object({ id: Type.String(), url: Type.String() }, { additionalProperties: false });
type Webhook = Static<typeof Webhook>;
const ListQuery = Type.Object(pageQuery, { additionalProperties: false });

/**
 * Stores a webhook, which gets every payment from now on. Throws CommandRejected `invalid-url` (422), `conflict` (409).
 */
export const addWebhook = defineCommand(
  "add-webhook",
  function* ({ url }: Static<typeof WebhookInput>, { nextId }): Transaction<Webhook> {
    if (!URL.canParse(url)) throw new CommandRejected("invalid-url", 422, "The url cannot be read.");
    const row = { id: yield* nextId("webhooks"), url };
    const insertion = tables.insertInto("webhooks").values(row);
    const stored = yield* query(insertion.onConflict((conflict) => conflict.column("url").doNothing()).returning("id"));
    if (stored.length === 0) throw new CommandRejected("conflict", 409, "A webhook with this url exists already.");
    return row;
  },
);

type Notice = { url: string; type: "invoice.paid"; data: Pick<Invoice, "id" | "reference" | "paidAt"> };

/** Posts a notice to a webhook. By `webhook-id` the receiver recognises a repetition (Standard Webhooks). */
export const postWebhook = defineHandler<Notice>(
  "post-webhook",
  async ({ id, sentAt, payload: { url, ...notice }, signal }) => {
    const answer = await fetch(url, {
      method: "POST",
      redirect: "error",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
      },
      body: JSON.stringify({ ...notice, timestamp: sentAt.toISOString() }),
      signal,
    });
    // An unread body would keep the connection open.
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the receiver answered ${answer.status}`);
  },
);

/** Sends a notice of a payment to every webhook, once the payment is in the bucket. */
export function* noticePayment({ id, reference, paidAt }: Invoice, send: CommandContext["send"]): Transaction<void> {
  const webhooks = yield* query(tables.selectFrom("webhooks").select("url").orderBy("id"));
  for (const { url } of webhooks)
    yield* send(postWebhook, { url, type: "invoice.paid", data: { id, reference, paidAt } });
}

function* listWebhooks({ after = "", limit }: Slice): Reading<Webhook[]> {
  return yield* query(tables.selectFrom("webhooks").selectAll().where("id", ">", after).orderBy("id").limit(limit));
}

/** Adds POST /webhooks and GET /webhooks. */
export function addWebhookRoutes(server: Server, { reader, answerWrite }: RouteContext): void {
  server.post("/webhooks", { schema: { body: WebhookInput, response: { 201: Webhook } } }, (request, reply) =>
    answerWrite(request, reply, { command: addWebhook, input: request.body, status: 201 }),
  );
  const list = { schema: { querystring: ListQuery, response: { 200: pageOf(Webhook) } } };
  server.get("/webhooks", list, async ({ query: asked }) =>
    readPage(reader, { list: "webhooks", query: asked, select: listWebhooks }),
  );
}
