import { expect, test } from "vitest";

import { findRefusals } from "../../../scripts/engine/find-refusals.ts";
import { readPlan } from "../../../scripts/engine/plan.ts";
import { announce, serverType, volumeType } from "./announce.ts";

const server = { type: serverType, name: "machine" };
const nobodyApproved = { mayReplaceServer: false };
const approved = { mayReplaceServer: true };

test("a server is replaced only by somebody who said so", () => {
  const plan = readPlan([announce({ op: "replace", ...server, keys: ["serverType"] })]);
  expect(findRefusals(plan, nobodyApproved)).toEqual([
    expect.stringMatching(/^machine \(hcloud Server\) .*replaced because of serverType.*--approve-replacement$/),
  ]);
  expect(findRefusals(plan, approved)).toEqual([]);
});

test("a replacement without a property behind it is the one that config rebuild asks for", () => {
  const plan = readPlan([announce({ op: "create-replacement", ...server })]);
  expect(findRefusals(plan, nobodyApproved)).toEqual([expect.stringContaining("config `rebuild`")]);
});

test("a server is deleted only by somebody who said so", () => {
  const plan = readPlan([announce({ op: "delete", ...server })]);
  expect(findRefusals(plan, nobodyApproved)).toEqual([expect.stringContaining("would be deleted")]);
});

test("a changed server is nobody's question", () => {
  const plan = readPlan([announce({ op: "update", ...server, diffs: ["labels"] })]);
  expect(findRefusals(plan, nobodyApproved)).toEqual([]);
});

test.each([
  volumeType,
  "aws:s3/bucket:Bucket",
  "aws:s3/bucketVersioning:BucketVersioning",
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  "aws:s3/bucketObjectv2:BucketObjectv2",
])("%s is never taken away, whatever was approved, unless the cloud keeps it", (type) => {
  for (const op of ["delete", "replace", "delete-replaced"] as const) {
    const lost = readPlan([announce({ op, type, name: "data", keys: ["location"] })]);
    expect(findRefusals(lost, approved)).toEqual([
      expect.stringMatching(/^data \(.*because of location.* data with it/),
    ]);
    const kept = readPlan([announce({ op, type, name: "data", keys: ["location"], retained: true })]);
    expect(findRefusals(kept, nobodyApproved)).toEqual([]);
  }
});

test("a spent key, an address and a command go without a question", () => {
  const types = ["aws:iam/accessKey:AccessKey", "hcloud:index/primaryIp:PrimaryIp", "command:local:Command"];
  const plan = readPlan(types.map((type) => announce({ op: "delete", type, name: "x" })));
  expect(findRefusals(plan, nobodyApproved)).toEqual([]);
});
