import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

import { findProductFault, type Product } from "../../app/product.ts";
import { startTestServer } from "../http/test-server.ts";

// The code of docs/guide/from-express.md as the one file that the page says it is, beside the kit itself.
const root = dirname(dirname(import.meta.dirname));
const folder = mkdtempSync(join(tmpdir(), "lifeboat-guide-"));
const productPath = join(folder, "app/service/product.ts");
const threadPath = join(folder, "app/writer-thread.ts");

beforeAll(() => {
  const page = readFileSync(join(root, "docs/guide/from-express.md"), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  expect(blocks.length).toBeGreaterThan(3);
  mkdirSync(dirname(productPath), { recursive: true });
  for (const kit of [
    "app/database",
    "app/http",
    "app/product.ts",
    "app/drill-subject.ts",
    "node_modules",
    "package.json",
  ])
    symlinkSync(join(root, kit), join(folder, kit));
  writeFileSync(productPath, blocks.join("\n"));
  const thread = `import { serveWriter } from "./database/serve-writer.ts";\nimport { product } from "./service/product.ts";\n\nserveWriter(product);\n`;
  writeFileSync(threadPath, thread);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the product of the page for those who come from Express has no error of types", () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const program = ts.createProgram([productPath], options);
  const faults = ts.getPreEmitDiagnostics(program, program.getSourceFile(productPath));
  expect(faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual([]);
});

test("the product of the page serves: a book is added, lent once, and listed", async () => {
  const { product }: { product: Product } = await import(pathToFileURL(productPath).href);
  expect(findProductFault(product)).toBe(null);
  await using server = await startTestServer({}, { product, threadUrl: pathToFileURL(threadPath) });
  const added = await server.call("POST", "/books", { body: { title: "Emma" } });
  expect(added).toMatchObject({ status: 201, body: { title: "Emma", lent_to: null } });
  expect(await server.call("POST", "/books", { body: { title: "Emma" } })).toMatchObject({ status: 409 });
  expect(await server.call("POST", "/books", { body: { title: "" } })).toMatchObject({ status: 400 });
  const loan = `/books/${String(added.body["id"])}/loan`;
  const lent = await server.call("POST", loan, { body: { to: "Ada" } });
  expect(lent).toMatchObject({ status: 200, body: { lent_to: "Ada" }, headers: { durability: "bucket" } });
  expect(await server.call("POST", loan, { body: { to: "Bob" } })).toMatchObject({ status: 409 });
  expect(await server.call("POST", "/books/none/loan", { body: { to: "Ada" } })).toMatchObject({ status: 404 });
  expect(await server.call("GET", "/books")).toMatchObject({ body: { items: [{ title: "Emma", lent_to: "Ada" }] } });
  expect(await server.call("GET", "/books/none")).toMatchObject({ status: 404 });
});
