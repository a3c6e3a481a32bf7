import fastify from "fastify";

/** A peer: the least that Fastify can do, on the port named on its command line. */
const [, , port = ""] = process.argv;
const server = fastify();
const schema = { response: { 200: { type: "object", properties: { hello: { type: "string" } } } } };
server.get("/", { schema }, async () => ({ hello: "world" }));
await server.listen({ port: Number(port), host: "127.0.0.1" });
