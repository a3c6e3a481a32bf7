import { expect, test } from "vitest";

import { decodeCursor, encodeCursor } from "../../app/http/reads.ts";
import { addPage } from "./example-page.ts";
import { startTestServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

async function addPages(server: TestServer, from: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  await Promise.all(numbers.map((number) => addPage(server, `${number}`)));
}

async function readPage(server: TestServer, path: string): Promise<{ ids: string[]; nextCursor: string | null }> {
  const { status, body } = await server.call("GET", path);
  expect(status, path).toBe(200);
  const items = Array.isArray(body["items"]) ? body["items"] : [];
  return {
    ids: items.map((item) => String(item.id)),
    nextCursor: typeof body["nextCursor"] === "string" ? body["nextCursor"] : null,
  };
}

test("following the cursors shows every row once, including rows added in the meantime", async () => {
  await using server = await startTestServer();
  await addPages(server, 0, 25);
  const seen: string[] = [];
  let cursor: string | null = "";
  for (let page = 0; cursor !== null; page += 1) {
    const { ids, nextCursor }: Awaited<ReturnType<typeof readPage>> = await readPage(
      server,
      cursor === "" ? "/pages?limit=4" : `/pages?limit=4&cursor=${cursor}`,
    );
    seen.push(...ids);
    cursor = nextCursor;
    if (page < 5) await addPages(server, 100 + page * 10, 3);
  }
  const { ids: every } = await readPage(server, "/pages?limit=1000");
  expect(every).toHaveLength(40);
  expect(seen).toEqual(every);
});

test("the last page has no next cursor, also when it is full, and 50 is the default", async () => {
  await using server = await startTestServer();
  await addPages(server, 0, 51);
  const first = await readPage(server, "/pages");
  expect(first.ids).toHaveLength(50);
  const second = await readPage(server, `/pages?cursor=${first.nextCursor}&limit=1`);
  expect(second.ids).toHaveLength(1);
  expect(second.nextCursor).toBeNull();
});

test("a malformed or foreign cursor and a limit outside 1 to 1000 answer 400", async () => {
  await using server = await startTestServer();
  await addPages(server, 0, 2);
  const { nextCursor } = await readPage(server, "/pages?limit=1");
  const drop = Buffer.from("pages:' or 1=1 --").toString("base64url");
  const foreign = encodeCursor("other-pages", "01900000-0000-7000-8000-000000000000");
  const cursors = [foreign, "", "x", "%00", `${nextCursor}x`, `${nextCursor}=`, drop];
  for (const cursor of cursors) expect((await server.call("GET", `/pages?cursor=${cursor}`)).status, cursor).toBe(400);
  for (const limit of ["0", "-1", "1001", "1.5", "ten", "", "1e2", "5&limit=6"]) {
    expect((await server.call("GET", `/pages?limit=${limit}`)).status, limit).toBe(400);
  }
  for (const limit of ["1", "1000"]) expect((await server.call("GET", `/pages?limit=${limit}`)).status).toBe(200);
});

test.each(["01900000-0000-7000-8000-000000000000", "42", "kunde:ö/1"])("a cursor names the row %s", (id) => {
  expect(decodeCursor("pages", encodeCursor("pages", id))).toBe(id);
});
