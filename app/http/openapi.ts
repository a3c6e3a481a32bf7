import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { type RouteOptions } from "fastify";
import { Type } from "typebox";
import { Value } from "typebox/value";

import { addBackgroundRoutes } from "./background-routes.ts";
import { documentPath } from "./kit-paths.ts";
import { addLoadRoute } from "./load-route.ts";
import { problemMediaType } from "./problem.ts";
import { addProductRoutes, neverAsked, type ProductRoutes, type Server } from "./product-routes.ts";
import { cookieNames } from "./sessions.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * False for a route that is no GET and does not answer with `answerWrite`. Its description then promises no
     * durability.
     */
    answersWrite?: boolean;
  }
}

/**
 * Adds GET /openapi.json, made from the schemas of the product's routes and of those about effects, jobs and load. The first
 * request makes the document and loads the library for it, so that no start waits for that.
 */
export function addDocument(server: Server, product: ProductRoutes): void {
  let document: Promise<string> | null = null;
  server.get(documentPath, async (_request, reply) => {
    document ??= makeDocument(product);
    return reply.type("application/json; charset=utf-8").send(await document);
  });
}

/** Adds these routes to a second server that never listens, where the library sees them. */
async function makeDocument(product: ProductRoutes): Promise<string> {
  const { default: swagger } = await import("@fastify/swagger");
  const scribe = Fastify({
    schemaController: { compilersFactory: { buildValidator: compileNothing, buildSerializer: compileNothing } },
  }).withTypeProvider<TypeBoxTypeProvider>();
  const openPaths = new Set(product.openPaths);
  scribe.addSchema(Problem);
  await scribe.register(swagger, {
    openapi: describeAll(product),
    refResolver: {
      buildLocalReference: ({ $id }, _base, _fragment, index) => (typeof $id === "string" ? $id : `schema-${index}`),
    },
    // This version of OpenAPI is JSON Schema, which has `const`.
    convertConstToEnum: false,
    transform: ({ url, route }) => ({ url, schema: describeRoute(route, openPaths.has(url)) }),
  });
  addProductRoutes(scribe, product, neverAsked);
  addBackgroundRoutes(scribe, neverShown, neverAsked);
  addLoadRoute(scribe, { describe: refuseToShow });
  await scribe.ready();
  const document = JSON.stringify(scribe.swagger(), letEmptyBodiesBe);
  await scribe.close();
  return document;
}

const refuseToShow = (): never => {
  throw new Error("nothing is shown here");
};
const neverShown = { describeEffects: refuseToShow, describeJobs: refuseToShow };
const compileNothing = () => () => () => "";

const Problem = Type.Object(
  {
    type: Type.String({ description: "urn:lifeboat:problem:<code>" }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String({ description: "the id of the request, by which the log is searched" }),
    errors: Type.Optional(
      Type.Array(Type.Object({ in: Type.String(), pointer: Type.String(), message: Type.String() })),
    ),
  },
  { $id: "Problem", description: "What went wrong (RFC 9457)" },
);

const bearer = { type: "http" as const, scheme: "bearer" };
// Over HTTPS its name begins with __Host-, which the document cannot say.
const session = { type: "apiKey" as const, in: "cookie" as const, name: cookieNames.plain };

function describeAll({ sessions = false }: ProductRoutes) {
  return {
    openapi: "3.1.0" as const,
    info: { title: "Lifeboat", version: "1" },
    components: { securitySchemes: { bearer, ...(sessions && { session }) } },
    security: [{ bearer: [] }, ...(sessions ? [{ session: [] }] : [])],
  };
}

const durability = Type.Union([Type.Literal("commit"), Type.Literal("disk"), Type.Literal("bucket")], {
  description: "what the write must survive: a crash of the process, a loss of power, or the loss of the machine",
});
const writeHeaders = Type.Object({
  Durability: Type.Optional(durability),
  "Idempotency-Key": Type.Optional(
    Type.String({
      pattern: "^[!-~]{8,200}$",
      description: "the same write with the same key is done once; the answer is that of the first one",
    }),
  ),
});
const reached = {
  Durability: { ...durability, description: "what was really reached" },
  "Idempotency-Replayed": Type.Literal("true", { description: "the write was done before" }),
};
const notReplicated = {
  ...reached,
  "Lifeboat-Not-Replicated": Type.String({ description: "why it is not in the bucket yet" }),
};

function describeRoute({ method, schema = {}, config }: RouteOptions, isOpen: boolean) {
  const methods = new Set([method].flat());
  const isRead = ["GET", "HEAD", "OPTIONS"].some((read) => methods.has(read));
  const isWrite = !isRead && config?.answersWrite !== false;
  const given = readSchemas(schema.response);
  const successes = Object.entries(given).filter(([status]) => status.startsWith("2"));
  const answers = successes.length === 0 ? { "2XX": { description: "Done" } } : given;
  return {
    ...schema,
    ...(isOpen && { security: [] }),
    ...(config?.takesFile === true && { body: { content: { "*/*": { schema: File } } } }),
    ...(isWrite && { headers: addProperties(writeHeaders, schema.headers) }),
    response: { ...describeProblems(isOpen), ...(isWrite ? describeWrite(answers, successes) : answers) },
  };
}

const File = { type: "string", format: "binary" };

type Schemas = Record<string, object>;

function readSchemas(response: unknown): Schemas {
  return typeof response === "object" && response !== null ? { ...response } : {};
}

function addProperties(own: typeof writeHeaders, given: unknown): object {
  if (!Value.Check(HeaderSchema, given)) return own;
  return { ...own, ...given, properties: { ...own.properties, ...given.properties } };
}

const HeaderSchema = Type.Object({ properties: Type.Record(Type.String(), Type.Unknown()) });

/** A write reports what it has reached. 202 means that the bucket did not take it in time. */
function describeWrite(answers: Schemas, successes: readonly [string, object][]): Schemas {
  const described = Object.entries(answers).map(([status, answer]) =>
    status.startsWith("2") ? [status, { ...answer, headers: reached }] : [status, answer],
  );
  const [[, first] = ["", {}]] = successes;
  const late = { ...first, description: "Committed, not in the bucket yet", headers: notReplicated };
  return { 202: late, ...Object.fromEntries(described) };
}

function describeProblems(isOpen: boolean): Schemas {
  return {
    400: describeProblem("The request is not understood; `errors` lists the fields"),
    ...(!isOpen && { 401: describeProblem("No token, or one that is not known here") }),
    "4XX": describeProblem("Refused; `type` says why"),
    "5XX": describeProblem("Not done, or not known to be done; `type` says which"),
  };
}

function describeProblem(description: string): object {
  return { description, content: { [problemMediaType]: { schema: { $ref: "Problem#" } } } };
}

const NullBody = Type.Object({
  content: Type.Object({
    "application/json": Type.Object({
      schema: Type.Object({ anyOf: Type.Array(Type.Object({ type: Type.Optional(Type.Unknown()) })) }),
    }),
  }),
});

/** Marks a body that may be null as optional. The library marks every body as required. */
function letEmptyBodiesBe(key: string, value: unknown): unknown {
  if (key !== "requestBody" || !Value.Check(NullBody, value)) return value;
  const { anyOf } = value.content["application/json"].schema;
  return anyOf.some(({ type }) => type === "null") ? { ...value, required: false } : value;
}
