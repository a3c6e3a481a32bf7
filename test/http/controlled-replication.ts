import type { Reports } from "../../app/database/reports.ts";
import type { Replica } from "../../app/http/answer-write.ts";
import type { BackgroundView } from "../../app/http/background-routes.ts";

/** A replica without a bucket: it answers what the test wants, and counts the questions. */
export class ControlledReplication implements Replica {
  state: "opening" | "living" | "fenced" = "living";
  readonly epoch = "0001-test";
  replicatedAgeMs: number | null = 12;
  uploadProgress: string | null = null;
  fence: "enforced" | "advisory" = "enforced";
  replicaFault: string | null = null;
  bucketRefusal: string | null = null;
  replicateCalls = 0;
  outcome: () => Promise<void> = () => Promise.resolve();

  replicate(): Promise<void> {
    this.replicateCalls += 1;
    return this.outcome();
  }
}

/** Reports that nobody asks for. */
export const idleReports: Omit<Reports, "warm"> = {
  run: () => Promise.reject(new Error("no report is expected")),
  describe: () => ({ running: null, waiting: 0, reports: [] }),
  close: () => undefined,
};

/** A background that does nothing. */
export const idleBackground: BackgroundView = {
  describeEffects: () => ({ held: null, handlers: [], deadLetters: 0 }),
  describeJobs: () => ({ held: null, jobs: [] }),
};
