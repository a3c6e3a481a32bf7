import { expect, test } from "vitest";

import { startWriterFixture } from "./notes-database.ts";
import { runChild } from "./run-child.ts";

test("a reader in another process never sees half of a command while the writer works", async () => {
  await using fixture = await startWriterFixture();
  const { writer, path } = fixture;
  const add = (id: string): Promise<unknown> => writer.execute("add-pair", { id, body: id }, { durability: "commit" });
  await add("first");
  const reading = runChild("reading-process.ts", [path, "left-last"]);
  let isOver = false;
  void reading.finally(() => (isOver = true)).catch(() => undefined);
  for (let count = 0; count < 300; count++) await Promise.all([add(`a${count}`), add(`b${count}`)]);
  await add("last");
  const report = await reading;
  expect(isOver).toBe(true);
  expect(report).toMatchObject({ readings: expect.any(Number) });
}, 90_000);
