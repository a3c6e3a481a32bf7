import { expect, test } from "vitest";

import { activates, readPlan } from "../../../scripts/engine/plan.ts";
import { renderPlan } from "../../../scripts/engine/render-plan.ts";
import { announce, serverType, volumeType } from "./announce.ts";

const component = "lifeboat:index:Machine";

test("a replacement is one step, with its cause, however often it is announced", () => {
  const machine = { type: serverType, name: "machine" };
  const { steps } = readPlan([
    announce({ op: "delete-replaced", ...machine }),
    announce({ op: "replace", ...machine, keys: ["location"] }),
    announce({ op: "create-replacement", ...machine, keys: ["location"] }),
  ]);
  expect(steps).toMatchObject([{ name: "machine", act: "replace", causes: ["location"], id: "4711" }]);
});

test("what the cloud keeps when it leaves the stack is kept, and not deleted", () => {
  const { steps } = readPlan([
    announce({ op: "delete", type: volumeType, name: "data-fsn1", retained: true }),
    announce({ op: "delete", type: volumeType, name: "data-nbg1" }),
  ]);
  expect(steps.map(({ name, act }) => [name, act])).toEqual([
    ["data-fsn1", "keep"],
    ["data-nbg1", "delete"],
  ]);
});

test("groups and providers are no part of a plan, and what stays the same is counted", () => {
  const plan = readPlan([
    announce({ op: "create", type: component, name: "machine", custom: false }),
    announce({ op: "same", type: "pulumi:providers:hcloud", name: "default" }),
    announce({ op: "same", type: serverType, name: "machine" }),
  ]);
  expect(plan).toMatchObject({ steps: [], unchangedCount: 1 });
});

test("the bucket is found where the program tells it to its scripts, also when nothing changes", () => {
  const environment = { LIFEBOAT_BUCKET: "a-bucket", LIFEBOAT_REGION: "auto" };
  const sentinel = { type: "command:local:Command", name: "replica-sentinel", inputs: { environment } };
  const other = announce({ op: "same", type: "command:local:Command", name: "other", inputs: { environment: {} } });
  expect(readPlan([other, announce({ op: "same", ...sentinel })]).storeEnvironment).toEqual(environment);
  expect(readPlan([announce({ op: "delete", ...sentinel })]).storeEnvironment).toEqual(environment);
  expect(readPlan([other]).storeEnvironment).toBeUndefined();
});

test("only a plan that runs the script for the machine activates something on it", () => {
  const environment = { LIFEBOAT_BUCKET: "a-bucket", LIFEBOAT_SERVER: "4711" };
  const script = { type: "command:local:Command", name: "active-activation", inputs: { environment } };
  const other = { ...script, inputs: { environment: { LIFEBOAT_BUCKET: "a-bucket" } } };
  expect(activates(readPlan([announce({ op: "create", ...script })]))).toBe(true);
  expect(activates(readPlan([announce({ op: "update", ...script })]))).toBe(true);
  for (const op of ["same", "refresh", "delete"] as const)
    expect(activates(readPlan([announce({ op, ...script }), announce({ op: "update", ...other })]))).toBe(false);
});

test("a plan is shown by act, what is made first and what is kept last, with the causes", () => {
  const plan = readPlan([
    announce({ op: "delete", type: volumeType, name: "data-fsn1", retained: true }),
    announce({ op: "replace", type: serverType, name: "machine", keys: ["location"] }),
    announce({ op: "update", type: "hcloud:index/firewall:Firewall", name: "machine", diffs: ["rules"] }),
    announce({ op: "create", type: volumeType, name: "data-hel1" }),
    announce({ op: "same", type: "aws:s3/bucket:Bucket", name: "replica" }),
  ]);
  expect(renderPlan(plan).split("\n")).toEqual([
    "ACT      NAME       WHAT",
    "make     data-hel1  hcloud Volume",
    "change   machine    hcloud Firewall: rules",
    "replace  machine    hcloud Server: location",
    "keep     data-fsn1  hcloud Volume",
    "1 unchanged",
  ]);
});
