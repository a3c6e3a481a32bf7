import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";

import { ReportEnded } from "../database/report.ts";
import type { Reports } from "../database/reports.ts";

/** Waits, but no longer than until the signal. */
export async function pause(limitMs: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, limitMs), undefined, { signal }).catch(() => undefined);
}

/**
 * Settles as the promise does, or rejects with the signal's reason as soon as it is aborted. Leaves no listener behind:
 * a race with a promise that lives as long as the process would keep one for each call.
 */
export async function orAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Runs somebody else's code with a signal of its own, and waits for it no longer than the limit or the outer signal.
 * What does not listen to its signal goes on, and nobody looks at its end.
 */
export async function runLimited(
  work: (signal: AbortSignal) => Promise<void>,
  limitMs: number,
  outer: AbortSignal,
): Promise<void> {
  const inner = new AbortController();
  const onAbort = (): void => inner.abort(outer.reason);
  if (outer.aborted) onAbort();
  outer.addEventListener("abort", onAbort, { once: true });
  const tooLong = new Error(`it took longer than ${limitMs / 1000} s`);
  const timer = setTimeout(() => inner.abort(tooLong), limitMs);
  try {
    // Also what it throws before its first await.
    await orAborted((async () => work(inner.signal))(), inner.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", onAbort);
  }
}

type AskedReport = { name: string; input: unknown; signal: AbortSignal };
const reportPauseMs = 1_000;

/** Runs a report for somebody who can wait, and so does until one can begin. Resolves with its result. */
export async function runPatiently<Result>(
  reports: Pick<Reports, "run">,
  { name, input, signal }: AskedReport,
): Promise<Result> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return JSON.parse(await reports.run(name, input, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ReportEnded) || !error.hasNotBegun) throw error;
      await pause(reportPauseMs, signal);
    }
  }
}

/** A wait that can be cut short. A ring that comes before the wait counts. */
export class Waker {
  #isRung = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async wait(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(limitMs, longestTimerMs));
    this.#wake = resolve;
    if (this.#isRung) resolve();
    await promise;
    clearTimeout(timer);
    this.#isRung = false;
    this.#wake = null;
  }
}

// Node fires a longer timer at once.
const longestTimerMs = 2 ** 31 - 1;

/**
 * What went wrong, with the causes of it: "fetch failed" alone tells nothing. A cause that is told already is not
 * repeated. Takes whatever a product throws, and never throws itself: an effect whose failure cannot be told would be
 * tried for ever.
 */
export function describeError(error: unknown): string {
  try {
    return tellChain(error).slice(0, textLimit);
  } catch {
    return "something was thrown that cannot be described";
  }
}

const textLimit = 500;
/** A chain of causes may be a circle. */
const mostCauses = 10;

function tellChain(error: unknown): string {
  let text = tellAlone(error);
  let cause = findCause(error);
  for (let depth = 0; cause !== undefined && depth < mostCauses; depth++) {
    const words = tellAlone(cause);
    if (!text.includes(words)) text = `${text}: ${words}`;
    cause = findCause(cause);
  }
  return text;
}

function tellAlone(error: unknown): string {
  if (typeof error === "string") return error;
  if (!(error instanceof Error)) return inspect(error, { breakLength: Infinity });
  const message: unknown = error.message;
  if (typeof message !== "string") return inspect(message, { breakLength: Infinity });
  return message === "" ? error.name : message;
}

function findCause(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  // A connection that was tried at several addresses fails with one for each.
  const [first]: unknown[] = error instanceof AggregateError ? error.errors : [];
  return error.cause ?? first;
}
