import type { Scene } from "./turn.ts";

/** Somebody asks for an earlier state, and something happens around it. */
export const restoreScenes = {
  "an earlier state is asked for, and one fault more": {
    lives: 1,
    leastStates: 100_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: ["earlier state asked for", "clean stop", "crash", "power loss", "volume lost", "answer lost"],
    },
  },
  "an earlier state is asked for, and then the state before it": {
    lives: 1,
    leastStates: 10_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 4,
      faults: 2,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["earlier state asked for", "clean stop"],
    },
  },
  "an earlier state is asked for, and a snapshot of the disk is put back": {
    lives: 1,
    leastStates: 500_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["earlier state asked for", "clean stop", "snapshot put back"],
    },
  },
  "a database is brought to an empty machine": {
    lives: 1,
    leastStates: 20_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: ["database brought", "clean stop", "crash", "power loss", "volume lost"],
    },
  },
  "an earlier state is asked for, and another machine comes": {
    lives: 1,
    leastStates: 50_000,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 3,
      faults: 1,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["earlier state asked for", "clean stop"],
    },
  },
} as const satisfies Record<string, Scene>;
