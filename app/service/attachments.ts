import { type Static, Type } from "typebox";

import { defineCommand } from "../database/command.ts";
import { query, type Reading, type Transaction } from "../database/transaction.ts";
import { CommandRejected } from "../database/write-outcome.ts";
import type { RouteContext, Server } from "../http/product-routes.ts";
import { found, IdParams, pageOf, pageQuery, readPage, type Slice } from "../http/reads.ts";
import { keepUpload, sendFile, takeFile } from "../http/uploads.ts";
import { readInvoice } from "./queries.ts";
import { type AttachmentsTable, tables } from "./tables.ts";

const Attachment = Type.Object(
  {
    id: Type.String(),
    invoiceId: Type.String(),
    contentType: Type.String(),
    bytes: Type.Integer(),
    sha256: Type.String(),
    createdAt: Type.String(),
  },
  { additionalProperties: false },
);
type Attachment = Static<typeof Attachment>;

type AttachInput = { invoiceId: string; key: string; contentType: string; bytes: number; sha256: string };

/** Stores the row of a file that is in the bucket already. Throws CommandRejected `not-found` (404). */
export const attachFile = defineCommand(
  "attach-file",
  function* (input: AttachInput, { now, nextId }): Transaction<Attachment> {
    if ((yield* readInvoice(input.invoiceId)) === undefined)
      throw new CommandRejected("not-found", 404, `There is no invoice ${input.invoiceId}.`);
    const row = {
      id: yield* nextId("attachments"),
      invoice_id: input.invoiceId,
      file: input.key,
      content_type: input.contentType,
      bytes: input.bytes,
      sha256: input.sha256,
      created_at: now.toISOString(),
    };
    yield* query(tables.insertInto("attachments").values(row));
    return toAttachment(row);
  },
);

const limitBytes = 16 * 1024 * 1024;
const FileParams = Type.Object({ id: Type.String(), attachmentId: Type.String() });
const ListQuery = Type.Object(pageQuery, { additionalProperties: false });
const anyFile = {
  description: "The file, with the type it was sent with",
  content: { "*/*": { schema: fileSchema() } },
};

/** Adds POST and GET /invoices/:id/attachments, and GET /invoices/:id/attachments/:attachmentId. */
export function addAttachmentRoutes(server: Server, { reader, answerWrite, files }: RouteContext): void {
  const path = "/invoices/:id/attachments";
  const upload = { ...takeFile({ limitBytes }), schema: { params: IdParams, response: { 201: Attachment } } };
  server.post(path, upload, async (request, reply) => {
    const { id: invoiceId } = request.params;
    // Before the client sends the file for nothing.
    found(reader.read(readInvoice(invoiceId)), `invoice ${invoiceId}`);
    const file = await keepUpload(request, files);
    return answerWrite(request, reply, { command: attachFile, input: { invoiceId, ...file }, status: 201 });
  });

  const list = { schema: { params: IdParams, querystring: ListQuery, response: { 200: pageOf(Attachment) } } };
  server.get(path, list, async ({ params: { id }, query: asked }) => {
    found(reader.read(readInvoice(id)), `invoice ${id}`);
    return readPage(reader, { list: "attachments", query: asked, select: (slice) => listAttachments(id, slice) });
  });

  const one = { exposeHeadRoute: false, schema: { params: FileParams, response: { 200: anyFile } } };
  server.get(`${path}/:attachmentId`, one, async ({ params: { id, attachmentId } }, reply) => {
    const row = found(reader.read(readAttachment(id, attachmentId)), `attachment ${attachmentId}`);
    return sendFile(reply, files, { key: row.file, contentType: row.content_type });
  });
}

function fileSchema() {
  return Type.Unsafe<unknown>({ type: "string", format: "binary" });
}

function* readAttachment(invoiceId: string, id: string): Reading<AttachmentsTable | undefined> {
  const statement = tables.selectFrom("attachments").selectAll();
  const [row] = yield* query(statement.where("id", "=", id).where("invoice_id", "=", invoiceId));
  return row;
}

function* listAttachments(invoiceId: string, { after = "", limit }: Slice): Reading<Attachment[]> {
  const statement = tables.selectFrom("attachments").selectAll().where("invoice_id", "=", invoiceId);
  const rows = yield* query(statement.where("id", ">", after).orderBy("id").limit(limit));
  return rows.map(toAttachment);
}

function toAttachment(row: AttachmentsTable): Attachment {
  return {
    id: row.id,
    invoiceId: row.invoice_id,
    contentType: row.content_type,
    bytes: row.bytes,
    sha256: row.sha256,
    createdAt: row.created_at,
  };
}
