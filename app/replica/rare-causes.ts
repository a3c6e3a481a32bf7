const retellMs = 60_000;
const rememberedLimit = 20;

/** Says which causes are news: each at most once a minute, so that two that alternate do not fill the log. */
export class RareCauses {
  readonly #nowMs: () => number;
  readonly #toldAt = new Map<string, number>();

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** The fault is over: the next one is news, whatever its cause. */
  forget(): void {
    this.#toldAt.clear();
  }

  isNews(cause: string): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - (this.#toldAt.get(cause) ?? Number.NEGATIVE_INFINITY) < retellMs) return false;
    // Causes with a number in them would otherwise be remembered without an end.
    if (this.#toldAt.size >= rememberedLimit) this.#toldAt.clear();
    this.#toldAt.set(cause, nowMs);
    return true;
  }
}
