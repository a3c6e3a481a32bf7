import { expect, test } from "vitest";

import { readChain } from "../../app/replica/chain.ts";
import type { Invariant } from "./invariants.ts";
import { type Mutation, mutations, sound } from "./mutations.ts";
import { chainOf, type Files } from "./replica.ts";
import { scenes } from "./scenes.ts";
import { searchStates, type SearchResult } from "./search.ts";

type SceneName = keyof typeof scenes;
const sceneNames = Object.keys(scenes).filter((name): name is SceneName => name in scenes);

const caughtBy: Record<Mutation, [SceneName, Invariant]> = {
  "no-head-check": ["a take-over of a living machine", "I1"],
  "sync-in-flight": ["a take-over of a living machine", "I1"],
  "restore-first": ["a take-over of a living machine", "I4"],
  "fall-back": ["a base is deleted", "I1"],
  renonce: ["crashes before the first base", "I2"],
  "no-replaces": ["crashes before the first base", "I2"],
  "replaces-last": ["crashes before the first base", "I2"],
  staged: ["crashes of a living epoch", "I4"],
  "resume-power": ["a power loss, perhaps after a clean stop", "I1"],
  "no-runs": ["a server is cloned", "I1"],
  "resume-behind": ["a snapshot of the disk is put back", "I1"],
  "trust-clean-stop": ["a snapshot of the disk is put back", "I1"],
  "keep-clean": ["a server is cloned", "I1"],
  "clone-shares-id": ["a server is cloned, and both have ids of their own", "I6"],
  "no-former-name": ["a machine learns its id, perhaps after it was replaced", "I6"],
  "no-former-head": ["a machine learns its id, perhaps after it was replaced", "I5"],
  "kept-prefix": ["the volume moves to a new machine", "I1"],
  content: ["the volume of a superseded machine moves to a third one", "I5"],
  "new-base-no-parent": ["a broken replica gets a new base", "I1"],
  "new-base-old-mark": ["a broken replica gets a new base", "I2"],
  "row-5-fresh": ["head is deleted", "I2"],
  "row-6-fresh": ["head is deleted", "I1"],
  "row-8-drop-volume": ["crashes before the first base", "I2"],
  "row-9-fresh": ["a base is deleted", "I4"],
  "row-10-drop-volume": ["crashes of a living epoch", "I2"],
  "row-10-no-compare": ["crashes of a living epoch", "I2"],
  "row-10-trust-volume": ["crashes of a living epoch", "I4"],
  "row-11-no-compare": ["crashes of a living epoch", "I2"],
  "row-11-trust-volume": ["crashes of a living epoch", "I4"],
  "no-reread": ["two first boots race", "I5"],
  "restore-newest": ["an earlier state is asked for, and one fault more", "I7"],
  "restore-again": ["an earlier state is asked for, and then the state before it", "I1"],
};

const allPlans = [
  "3 resume",
  "4 refuse",
  "5 claim fresh",
  "5 refuse",
  "6 refuse",
  "7 refuse",
  "8 claim fresh",
  "8 claim volume",
  "9 refuse",
  "10 claim compare",
  "10 claim restore",
  "10 claim volume",
  "11 claim compare",
  "11 claim restore",
  "12 claim import",
  "12 claim restore",
];

test.for(sceneNames)("no invariant breaks: %s", { timeout: 180_000 }, (name) => {
  const result = searchScene(name);

  expect(result.violations).toEqual({});
  expect(result.complete).toBe(true);
  expect(result.states).toBeGreaterThan(scenes[name].leastStates);
});

test("the scenes reach every row of the boot table, with every content that it can ask for", () => {
  const plans = new Set(sceneNames.flatMap((name) => searchScene(name).plans));

  expect([...plans].toSorted()).toEqual(allPlans.toSorted());
});

test.for(Object.entries(caughtBy))("the model catches the deliberate error %s", ([name, [scene, invariant]]) => {
  const { lives, bounds } = scenes[scene];
  const mutant = Object.entries(mutations).find(([known]) => known === name)?.[1] ?? sound;

  const result = searchStates({ rules: { bounds, ...mutant }, lives, stopAtViolation: true });

  expect(Object.keys(result.violations)).toEqual([invariant]);
});

test.for<[what: string, files: Files]>([
  ["nothing", []],
  ["a lone base", ["=a"]],
  ["a base and increments", ["=a", "+b", "+c"]],
  ["a new base behind deleted files", ["", "", "=abc", "+d"]],
  ["increments without a base", ["", "+b"]],
  ["a gap behind the base", ["=a", "", "+c"]],
])("the model judges a replica as app/replica/chain.ts does: %s", ([, files]) => {
  expect(chainOf(files).state).toBe(readChain(listKeys(files)).state);
});

const searched = new Map<SceneName, SearchResult>();

function searchScene(name: SceneName): SearchResult {
  const { lives, bounds } = scenes[name];
  const result = searched.get(name) ?? searchStates({ rules: { bounds, ...sound }, lives });
  searched.set(name, result);
  return result;
}

/** The listing that these files stand for: a base is a snapshot up to its TXID. */
function listKeys(files: Files): string[] {
  return files.flatMap((file, index) => {
    const txid = (index + 1).toString(16).padStart(16, "0");
    if (file === "") return [];
    return file.startsWith("=")
      ? [`epochs/1/0009/${"1".padStart(16, "0")}-${txid}.ltx`]
      : [`epochs/1/0000/${txid}-${txid}.ltx`];
  });
}
