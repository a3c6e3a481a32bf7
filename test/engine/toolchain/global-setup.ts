import { findEngine } from "./find-engine.ts";

/** Runs before the first test and without its time limit: on a new machine the engine has to be built. */
export async function setup(): Promise<void> {
  const { origin, root } = await findEngine((line) => console.error(`[engine] ${line}`));
  console.error(`[engine] ${origin}: ${root}`);
}
