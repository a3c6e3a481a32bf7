import type { Log } from "../../app/log.ts";

export type AfterStep = (step: string) => void;

/** A log that calls back for each step of a boot that is done: boot logs it before it begins the next one. */
export function watchSteps(log: Log, afterStep: AfterStep): Log {
  return {
    ...log,
    info: (fields, message) => {
      log.info(fields, message);
      if (message === "step done") afterStep(String(fields["step"]));
    },
  };
}
