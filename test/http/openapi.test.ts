import { Type } from "typebox";
import { expect, test } from "vitest";

import { addEventStream } from "../../app/http/events.ts";
import { takeFile } from "../../app/http/uploads.ts";
import type { Product } from "../../app/product.ts";
import { pagesProduct } from "../product/pages.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const Answer = Type.Object({ name: Type.String() }, { additionalProperties: false });

/** The pages, and routes of every kind beside them. */
const product: Product = {
  ...pagesProduct,
  addRoutes: (server, context) => {
    pagesProduct.addRoutes(server, context);
    server.get("/open", { schema: { response: { 200: Answer } } }, async () => ({ name: "open" }));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a product answers is not what it says
    server.get("/other", { schema: { response: { 200: Answer } } }, async () => ({ title: true }) as never);
    server.post("/session", { config: { answersWrite: false } }, async () => ({}));
    server.register(async (child) => {
      child.get("/in-a-plugin", { schema: { response: { 200: Answer } } }, async () => ({ name: "plugin" }));
    });
  },
  openPaths: ["/open"],
};

type Operation = {
  parameters?: { in: string; name: string; required?: boolean }[];
  requestBody?: { required: boolean };
  responses: Record<string, { headers?: object; content?: object }>;
  security?: unknown[];
};

const named = (operation?: Operation) => (operation?.parameters ?? []).map(({ name }) => name);

const readDocument = async (server: TestServer) => {
  const answer = await server.call("GET", "/openapi.json");
  expect(answer.status, server.log.join("")).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- looked at below
  return answer.body as unknown as {
    paths: Record<string, Record<string, Operation>>;
    components: object;
    security: unknown;
  };
};

test("the document names the product's routes, also those of a plugin, and the kit's about effects, jobs and load", async () => {
  await using server = await startTestServer({}, { product });
  const { paths } = await readDocument(server);
  expect(
    Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`)),
  ).toEqual([
    "post /pages",
    "get /pages",
    "get /pages/{id}",
    "post /pages/{id}/publication",
    "get /open",
    "get /other",
    "post /session",
    "get /effects",
    "get /effects/dead-letters",
    "post /effects/dead-letters/{id}/retry",
    "get /jobs",
    "get /load",
    "get /in-a-plugin",
  ]);
});

test("the document tells of the token, of problems, and what a write promises", async () => {
  await using server = await startTestServer({}, { product });
  const document = await readDocument(server);
  const { paths } = document;
  expect(document).toMatchObject({
    openapi: "3.1.0",
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } }, schemas: { Problem: {} } },
  });
  const write = paths["/pages"]?.["post"];
  expect(named(write)).toEqual(["Durability", "Idempotency-Key"]);
  expect(write?.responses).toMatchObject({
    202: { headers: { Durability: {}, "Lifeboat-Not-Replicated": {} } },
    400: { content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } },
    401: { content: { "application/problem+json": {} } },
    "4XX": { content: { "application/problem+json": {} } },
    "5XX": { content: { "application/problem+json": {} } },
  });
  expect(named(paths["/pages"]?.["get"])).toEqual(["cursor", "limit"]);
  // It says of itself that it is no write, and this one is open.
  expect(paths["/session"]?.["post"]?.responses).not.toHaveProperty("202");
  expect(named(paths["/session"]?.["post"])).toEqual([]);
  expect(paths["/open"]?.["get"]).toMatchObject({ security: [] });
  expect(paths["/open"]?.["get"]?.responses).not.toHaveProperty("401");
  expect(write?.requestBody?.required).toBe(true);
  expect(paths["/pages/{id}/publication"]?.["post"]?.requestBody?.required).toBe(false);
});

test("the document is shown to holders of a token only", async () => {
  await using server = await startTestServer();
  const answer = await server.call("GET", "/openapi.json", { headers: { authorization: "" } });
  expect([answer.status, answer.body["type"]]).toEqual([401, "urn:lifeboat:problem:unauthorized"]);
});

test("a route with a response schema answers, in a plugin too, and nothing is checked or taken away", async () => {
  await using server = await startTestServer({}, { product });
  expect((await server.call("GET", "/open")).body).toEqual({ name: "open" });
  expect((await server.call("GET", "/in-a-plugin")).body).toEqual({ name: "plugin" });
  expect((await server.call("GET", "/other")).body).toEqual({ title: true });
});

const browserProduct: Product = {
  ...pagesProduct,
  addRoutes: (server, context) => {
    addEventStream(server, "/events", { ...context, toEvent: () => null });
    server.post("/files", takeFile({ limitBytes: 1 }), async () => ({}));
  },
  sessions: true,
};

test("the document tells of sessions, of files and of streams where a product has them, and nowhere else", async () => {
  await using server = await startTestServer({}, { product: browserProduct });
  const { components, security, paths } = await readDocument(server);
  expect(components).toMatchObject({
    securitySchemes: { session: { type: "apiKey", in: "cookie", name: "lifeboat-session" } },
  });
  expect(security).toEqual([{ bearer: [] }, { session: [] }]);
  expect(Object.keys(paths["/events"] ?? {})).toEqual(["get"]);
  expect(paths["/events"]?.["get"]?.responses["200"]?.content).toEqual({
    "text/event-stream": { schema: { type: "string" } },
  });
  expect(paths["/files"]?.["post"]?.requestBody).toMatchObject({
    content: { "*/*": { schema: { format: "binary" } } },
  });
  await using other = await startTestServer();
  expect((await readDocument(other)).security).toEqual([{ bearer: [] }]);
});
