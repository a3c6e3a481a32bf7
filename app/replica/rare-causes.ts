const retellMs = 60_000;
const rememberedLimit = 20;

/** Decides which causes to report: each at most once a minute, so that two alternating ones do not fill the log. */
export class RareCauses {
  readonly #nowMs: () => number;
  readonly #toldAt = new Map<string, number>();

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** The fault is over: the next one is reported, whatever its cause. */
  forget(): void {
    this.#toldAt.clear();
  }

  isNews(cause: string): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - (this.#toldAt.get(cause) ?? Number.NEGATIVE_INFINITY) < retellMs) return false;
    // Causes that contain a number would otherwise accumulate without limit.
    if (this.#toldAt.size >= rememberedLimit) this.#toldAt.clear();
    this.#toldAt.set(cause, nowMs);
    return true;
  }
}
