import { readFileSync } from "node:fs";

import { readBucketConfig } from "./machine-place.ts";
import { WishReader } from "./wish-reader.ts";

/** The bucket with the key that the settings name now: a rotated key restarts nothing here. */
export class Connection {
  readonly #file: string;
  #settings = "";
  #reader: WishReader | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  open(): WishReader {
    const settings = readFileSync(this.#file, "utf8");
    if (this.#reader !== null && settings === this.#settings) return this.#reader;
    this.#reader?.[Symbol.dispose]();
    this.#reader = new WishReader(readBucketConfig(this.#file));
    this.#settings = settings;
    return this.#reader;
  }
}
