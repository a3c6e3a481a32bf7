import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { destination as openDestination } from "pino";
import type { DestinationStream } from "pino";

/** The end of a line about one request. Only such lines are gathered, and dropped when nobody reads the log. */
const requestEnd = '"msg":"request answered"}\n';
const gatherMs = 50;
const gatherLength = 8 * 1024;
const mostWaitingBytes = 16 * 1024 * 1024;

/**
 * The process's log on a file descriptor. Writing never blocks. Lines about requests are gathered for 50 ms or 8 KiB,
 * since writing each of them alone costs more than making it. Every other line is handed to the system at once,
 * with those before it. When the process exits, whatever the cause, the rest is written synchronously.
 */
export class LogOutput implements DestinationStream {
  readonly #file: number;
  readonly #output: ReturnType<typeof openDestination>;
  #gathered = "";
  #timer: NodeJS.Timeout | undefined;
  #waitingBytes = 0;
  #droppedLines = 0;

  constructor(file: number) {
    this.#file = file;
    this.#output = openDestination({ dest: file, sync: false });
    this.#output.on("write", (bytes: number) => (this.#waitingBytes -= bytes));
    process.once("exit", () => this.#writeRest());
  }

  /** Calls the listener with the number of lines that were dropped, once there is room again. */
  onDropped(listener: (lines: number) => void): void {
    this.#output.on("drain", () => {
      const lines = this.#droppedLines;
      this.#droppedLines = 0;
      if (lines > 0) listener(lines);
    });
  }

  write(line: string): void {
    const isRequest = line.endsWith(requestEnd);
    if (isRequest && this.#waitingBytes > mostWaitingBytes) {
      this.#droppedLines++;
      return;
    }
    this.#gathered += line;
    if (!isRequest || this.#gathered.length >= gatherLength) this.#handOver();
    else this.#timer ??= setTimeout(() => this.#handOver(), gatherMs).unref();
  }

  /** Resolves when everything is written, or after the time limit. */
  async flush(limitMs: number): Promise<void> {
    this.#handOver();
    if (this.#waitingBytes > 0) await Promise.race([once(this.#output, "drain"), sleep(limitMs)]);
  }

  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === "") return;
    const lines = this.#gathered;
    this.#gathered = "";
    this.#waitingBytes += Buffer.byteLength(lines);
    this.#output.write(lines);
  }

  // The system finishes a write that has begun, perhaps after these lines. Another one would not begin any more.
  #writeRest(): void {
    this.#output.flushSync();
    if (this.#gathered !== "") openDestination({ dest: this.#file, sync: true }).write(this.#gathered);
    this.#gathered = "";
  }
}
