import { existsSync, writeFileSync } from "node:fs";
import { Worker, workerData } from "node:worker_threads";

type Watched = { parentPid: number; memoryBytes: number };

const watchEveryMs = 50;

/**
 * Makes this process the first to be killed where memory runs out, and lets a second thread of it watch it: `entry` is
 * the program's own URL, which runs watchProcess there.
 */
export function becomeExpendable(entry: string, memoryBytes: number): void {
  // It would inherit that the app is spared.
  const oomScore = "/proc/self/oom_score_adj";
  if (existsSync(oomScore)) writeFileSync(oomScore, "950");
  const watched: Watched = { parentPid: process.ppid, memoryBytes };
  new Worker(new URL(entry), { name: "watch", workerData: watched }).unref();
}

/**
 * In a thread of its own, because SQLite does not return while a statement runs: ends the process when it takes too
 * much memory, of which V8's and SQLite's own limits see a part at most, and when its parent is gone.
 */
export function watchProcess(): void {
  const { parentPid, memoryBytes }: Watched = workerData;
  setInterval(() => {
    if (process.memoryUsage.rss() > memoryBytes || process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
  }, watchEveryMs);
}
