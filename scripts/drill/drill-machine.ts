import type { Target } from "./http-client.ts";

/** A machine of the drill, in whatever room. Moments are on the clock of performance.now(). */
export type DrillMachine = AsyncDisposable &
  Readonly<{
    name: string;
    target: Target;
    /** Waits for the first 200 on /ready; returns the moment. Throws when the machine stays down or takes too long. */
    waitUntilReady(timeoutMs: number): Promise<number>;
    /** What boot said of itself, as JSON. */
    readBootReport(): Promise<string>;
    /** The path of a database with all that the machine's holds now. */
    copyDatabase(): Promise<string>;
    /** Ends everything at once, without a word to it. Returns the moment. */
    cutPower(): Promise<number>;
    destroyDisks(): Promise<void>;
    /** What freezes it, in words. */
    frost: string;
    /** Stops everything where it is, like a hypervisor that pauses a machine. Returns the moment. */
    freeze(): Promise<number>;
    /** Lets everything go on. Returns the moment before. */
    wake(): Promise<number>;
    /** Waits until it has ended because another one took over; returns the moment. Throws when it does anything else. */
    waitForFence(timeoutMs: number): Promise<number>;
    /** The last lines of its logs, to explain what happened. */
    readLastWords(): Promise<string>;
  }>;
