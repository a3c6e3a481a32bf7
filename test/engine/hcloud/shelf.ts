import type { Cloud } from "./cloud.ts";

/** What an action asks for: the last part of its path, and its body. */
export type Act = Readonly<{ verb: string; body: unknown }>;

/** How one kind of thing is kept. Each of its functions answers with the body that the API answers with, or throws a Refusal. */
export type Shelf<Thing> = Readonly<{
  /** What a single one is called in the answers. */
  one: string;
  tableOf(cloud: Cloud): Map<number, Thing>;
  create(cloud: Cloud, body: unknown): object;
  act?(cloud: Cloud, thing: Thing, act: Act): object;
  /** null: the API answers without a body. */
  remove(cloud: Cloud, thing: Thing): object | null;
}>;
