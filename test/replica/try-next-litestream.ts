import { buildNextLitestream } from "../../scripts/go/build-next-litestream.ts";

/** Runs before the first test: what asks for the pinned Litestream gets the next one. */
export async function setup(): Promise<void> {
  const path = await buildNextLitestream((line) => console.error(`[litestream] ${line}`));
  process.env["LIFEBOAT_TRIED_LITESTREAM"] = path;
}
