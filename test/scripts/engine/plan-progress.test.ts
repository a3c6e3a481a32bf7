import { Writable } from "node:stream";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Transcript } from "../../../app/cli/transcript.ts";
import { PlanProgress } from "../../../scripts/engine/progress.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

// Events in the shape of the engine's apitype.ProgressEvent; no engine is asked here.
test("a plan tells which plugins it waits for, how far they are, and no longer when they are here", () => {
  const heard: string[] = [];
  const output = new Writable({ write: (chunk, _, done) => (heard.push(String(chunk)), done()) });
  using progress = new PlanProgress(new Transcript({ output, colour: false }));
  const tell = (received: number, done = false) => {
    const download = { type: "plugin-download", id: "hcloud", message: "Downloading plugin hcloud-1.41.0" };
    const progressEvent = { ...download, received, total: 20_000_000, done };
    const event = { sequence: 1, timestamp: 1, progressEvent };
    progress.listen(event);
  };
  tell(0);
  tell(5_000_000);
  vi.advanceTimersByTime(10_000);
  tell(20_000_000, true);
  vi.advanceTimersByTime(10_000);
  expect(heard.slice(1)).toEqual([
    "  ...  Downloading plugin hcloud-1.41.0, 20 MB\n",
    "  ...  planning, for 10 s; Downloading plugin hcloud-1.41.0, 5.0 of 20 MB\n",
    "  ...  planning, for 20 s\n",
  ]);
});
