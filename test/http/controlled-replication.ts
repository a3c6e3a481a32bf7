import type { Reports } from "../../app/database/reports.ts";
import type { Replica } from "../../app/http/answer-write.ts";
import type { BackgroundView } from "../../app/http/background-routes.ts";
import type { LoadView } from "../../app/http/load-route.ts";

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
export const idleReports: Pick<Reports, "run" | "close"> = {
  run: () => Promise.reject(new Error("no report is expected")),
  close: () => undefined,
};

/** What a server shows where nobody looks: a background that does nothing, and a load that is not measured. */
export const idleViews: { background: BackgroundView; load: LoadView } = {
  background: {
    describeEffects: () => ({ held: null, handlers: [], deadLetters: 0 }),
    describeJobs: () => ({ held: null, jobs: [] }),
  },
  load: {
    describe: () => {
      throw new Error("nobody is expected to look at the load");
    },
  },
};
