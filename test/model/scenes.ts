import { restoreScenes } from "./restore-scenes.ts";
import { type Hazard, hazards, levels, type Scene } from "./turn.ts";

// Snapshots, clones and names multiply the states; they have scenes of their own.
const special = new Set<Hazard>([
  "snapshot put back",
  "cloned",
  "cloned, with an id of its own",
  "learns its id",
  "earlier state asked for",
  "database brought",
]);
const usual = hazards.filter((hazard) => !special.has(hazard));

// `leastStates` keeps a scene from becoming empty unnoticed.
/** The worlds that `npm test` searches; larger bounds: see check.ts. */
export const scenes = {
  "one machine, any two faults": {
    lives: 0,
    leastStates: 50_000,
    bounds: { machines: 1, commits: 2, epochs: 3, faults: 2, resumes: 1, levels, hazards: usual },
  },
  "two machines, one serves, any fault": {
    lives: 1,
    leastStates: 40_000,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 3,
      faults: 1,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: usual,
    },
  },
  "two first boots race": {
    lives: 0,
    leastStates: 300,
    bounds: { machines: 2, commits: 0, epochs: 2, faults: 0, resumes: 1, levels, hazards: [] },
  },
  "a take-over of a living machine": {
    lives: 1,
    leastStates: 300,
    bounds: { machines: 2, commits: 1, epochs: 2, faults: 0, resumes: 1, levels: ["bucket"], hazards: [] },
  },
  "crashes before the first base": {
    lives: 0,
    leastStates: 3_000,
    bounds: {
      machines: 1,
      commits: 1,
      epochs: 4,
      faults: 3,
      resumes: 1,
      levels: ["disk"],
      hazards: ["crash", "power loss"],
    },
  },
  "crashes of a living epoch": {
    lives: 1,
    leastStates: 700,
    bounds: {
      machines: 1,
      commits: 1,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["commit", "disk"],
      hazards: ["crash", "power loss"],
    },
  },
  "a power loss, perhaps after a clean stop": {
    lives: 1,
    leastStates: 2_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 2,
      faults: 1,
      resumes: 1,
      levels: ["commit", "bucket"],
      hazards: ["power loss", "clean stop"],
    },
  },
  "the volume moves to a new machine": {
    lives: 1,
    leastStates: 500,
    bounds: {
      machines: 2,
      commits: 2,
      epochs: 2,
      faults: 1,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["volume moved"],
    },
  },
  "the volume of a superseded machine moves to a third one": {
    lives: 2,
    leastStates: 10_000,
    bounds: { machines: 3, commits: 2, epochs: 3, faults: 1, resumes: 1, levels: ["disk"], hazards: ["volume moved"] },
  },
  "a base is deleted": {
    lives: 1,
    leastStates: 300,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["crash", "base deleted"],
    },
  },
  "a broken replica gets a new base": {
    lives: 1,
    leastStates: 1_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 4,
      faults: 2,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: ["crash", "power loss", "volume lost", "base deleted"],
    },
  },
  "head is deleted": {
    lives: 0,
    leastStates: 2_000,
    bounds: {
      machines: 1,
      commits: 1,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: ["power loss", "head deleted"],
    },
  },
  "a snapshot of the disk is put back": {
    lives: 1,
    leastStates: 10_000,
    bounds: {
      machines: 1,
      commits: 2,
      epochs: 2,
      faults: 1,
      resumes: 2,
      levels: ["bucket"],
      hazards: ["snapshot put back", "clean stop"],
    },
  },
  "a snapshot is put back, and one fault more": {
    lives: 1,
    leastStates: 1_000,
    bounds: {
      machines: 1,
      commits: 1,
      epochs: 3,
      faults: 2,
      resumes: 1,
      levels: ["disk", "bucket"],
      hazards: ["snapshot put back", "crash", "power loss"],
    },
  },
  "a server is cloned, and both have ids of their own": {
    lives: 1,
    leastStates: 10_000,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 2,
      faults: 1,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["cloned, with an id of its own", "clean stop"],
    },
  },
  "a machine learns its id, perhaps after it was replaced": {
    lives: 1,
    leastStates: 20_000,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 2,
      faults: 1,
      resumes: 1,
      levels: ["bucket"],
      hazards: ["learns its id", "clean stop"],
    },
  },
  ...restoreScenes,
  "a server is cloned": {
    lives: 1,
    leastStates: 40_000,
    bounds: {
      machines: 2,
      commits: 1,
      epochs: 2,
      faults: 1,
      resumes: 2,
      levels: ["bucket"],
      hazards: ["cloned", "clean stop"],
    },
  },
} as const satisfies Record<string, Scene>;
