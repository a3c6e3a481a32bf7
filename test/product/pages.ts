import { type Static, Type } from "typebox";

import { defineCommand } from "../../app/database/command.ts";
import type { Migration } from "../../app/database/migration.ts";
import { sqlBuilder } from "../../app/database/sql.ts";
import { query, type Reading, type Transaction } from "../../app/database/transaction.ts";
import { CommandRejected } from "../../app/database/write-outcome.ts";
import { pageOf, pageQuery, readPage, type Slice, found, IdParams } from "../../app/http/reads.ts";
import type { Product } from "../../app/product.ts";

type Page = { id: string; title: string; words: string; published_at: string | null };

const tables = sqlBuilder<{ pages: Page }>();

const PageInput = Type.Object(
  { title: Type.String({ minLength: 1, maxLength: 200 }), words: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
type PageInput = Static<typeof PageInput>;

const migrations: readonly Migration[] = [{ number: 1, name: "pages", kind: "additive", up: createPages }];

function* createPages(): Transaction<void> {
  const table = tables.schema
    .createTable("pages")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("title", "text", (column) => column.notNull().unique())
    .addColumn("words", "text", (column) => column.notNull())
    .addColumn("published_at", "text");
  yield* query(table);
}

export function* readPageById(id: string): Reading<Page | undefined> {
  const [page] = yield* query(tables.selectFrom("pages").selectAll().where("id", "=", id));
  return page;
}

function* listPages({ after, limit }: Slice): Reading<Page[]> {
  const pages = tables
    .selectFrom("pages")
    .selectAll()
    .where("id", ">", after ?? "");
  return yield* query(pages.orderBy("id").limit(limit));
}

export const addPage = defineCommand(
  "add-page",
  function* ({ title, words = "" }: PageInput, { nextId }): Transaction<Page> {
    const page = { id: yield* nextId("pages"), title, words, published_at: null };
    const insertion = tables.insertInto("pages").values(page);
    const stored = yield* query(
      insertion.onConflict((conflict) => conflict.column("title").doNothing()).returning("id"),
    );
    if (stored.length === 0) throw new CommandRejected("conflict", 409, "A page with this title exists already.");
    return page;
  },
);

const publishPage = defineCommand("publish-page", function* ({ id }: { id: string }, { now }): Transaction<Page> {
  const page = yield* readPageById(id);
  if (page === undefined) throw new CommandRejected("not-found", 404, `There is no page ${id}.`);
  if (page.published_at !== null) throw new CommandRejected("published", 409, `Page ${id} is published already.`);
  const published_at = now.toISOString();
  yield* query(tables.updateTable("pages").set({ published_at }).where("id", "=", id));
  return { ...page, published_at };
});

const ListQuery = Type.Object(pageQuery, { additionalProperties: false });
const PageRow = Type.Object({
  id: Type.String(),
  title: Type.String(),
  words: Type.String(),
  published_at: Type.Union([Type.String(), Type.Null()]),
});
const Publication = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })]);

/** A product of the kit's own tests: pages, with titles of their own, that are published at `bucket`. */
export const pagesProduct: Product = {
  commands: [addPage, publishPage],
  migrations,
  addRoutes: (server, { reader, answerWrite }) => {
    server.post("/pages", { schema: { body: PageInput } }, (request, reply) =>
      answerWrite(request, reply, { command: addPage, input: request.body, status: 201 }),
    );
    const list = { schema: { querystring: ListQuery, response: { 200: pageOf(PageRow) } } };
    server.get("/pages", list, async ({ query: asked }) =>
      readPage(reader, { list: "pages", query: asked, select: listPages }),
    );
    server.get("/pages/:id", { schema: { params: IdParams } }, async ({ params: { id } }) =>
      found(reader.read(readPageById(id)), `page ${id}`),
    );
    const publication = { bodyLimit: 1024, schema: { params: IdParams, body: Publication } };
    server.post("/pages/:id/publication", publication, (request, reply) =>
      answerWrite(request, reply, {
        command: publishPage,
        input: { id: request.params.id },
        status: 200,
        durability: "bucket",
      }),
    );
  },
  openPaths: [],
  outbox: [],
  jobs: [],
  drill: { startAuthor: ({ name }) => startAuthor(name), readRows: () => [] },
};

function startAuthor(name: string) {
  let count = 0;
  return {
    next: () => {
      const title = `${name}-${++count}`;
      return { kind: "page", key: title, content: title, path: "/pages", body: { title } };
    },
  };
}
