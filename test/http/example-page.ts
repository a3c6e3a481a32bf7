import { expect } from "vitest";

import type { TestServer } from "./test-server.ts";

/** Adds a page and gives its id. */
export async function addPage({ call }: TestServer, title = "Ada"): Promise<string> {
  const { status, body } = await call("POST", "/pages", { body: { title } });
  expect(status).toBe(201);
  return String(body["id"]);
}
