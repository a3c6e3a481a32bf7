import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

const root = dirname(dirname(import.meta.dirname));
const squeeze = (text: string) => text.replaceAll(/\s+/g, " ").trim();
const sources = globSync("app/service/**/*.{ts,js}", { cwd: root }).map((path) =>
  squeeze(readFileSync(join(root, path), "utf8")),
);

// The first block of your-product.md is another product, which test/slow/another-product.test.ts serves.
const ownCode: Record<string, number> = {
  "your-product": 1,
  "pages-and-sessions": 0,
  "events-and-files": 0,
  effects: 0,
};

test.each(Object.keys(ownCode))("the code in %s.md is that of the billing service", (name) => {
  const guide = readFileSync(join(root, `docs/guide/${name}.md`), "utf8");
  const blocks = [...guide.matchAll(/^```(?:ts|js)\n([^]*?)^```$/gm)]
    .map(([, block = ""]) => squeeze(block))
    .slice(ownCode[name]);
  expect(blocks.length).toBeGreaterThan(0);
  expect(blocks.filter((block) => !sources.some((source) => source.includes(block)))).toEqual([]);
});
