import { expect, test } from "vitest";

import { product } from "../../app/service/product.ts";
import { openProductDatabase } from "./product-database.ts";
import { startProductServer } from "./product-server.ts";

test("the migrations of the product in app/service run on a new database", () => {
  using fixture = openProductDatabase();
  const ran = fixture.db.prepare("select name from _migrations order by number").pluck().all();
  expect(ran).toEqual(product.migrations.map(({ name }) => name));
});

test("the server of the product in app/service answers, and asks for a token", async () => {
  await using server = await startProductServer();
  expect((await server.call("GET", "/openapi.json")).status).toBe(200);
  expect((await server.server.inject("/openapi.json")).statusCode).toBe(401);
});
