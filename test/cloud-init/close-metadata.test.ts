import { afterAll, beforeAll, expect } from "vitest";

import { renderUserData } from "../../cloud-init/user-data.ts";
import { exampleInput } from "./example-input.ts";
import { MachineRoot, machineTest } from "./machine-root.ts";
import { findReadable, metadataUrls, startMetadataService } from "./metadata-service.ts";
import { writeUserData } from "./write-user-data.ts";

let root: MachineRoot;
beforeAll(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  writeUserData(root, renderUserData(exampleInput));
  await startMetadataService(root);
}, 60_000);
afterAll(() => root[Symbol.asyncDispose]());

const as = (user: string) => ["runuser", "--user", user, "--"];

machineTest("after the birth no user but root reads the metadata service, by whatever address", async () => {
  expect(await findReadable(root, as("nobody"))).toEqual(metadataUrls);
  const close = "/usr/local/lib/lifeboat/close-metadata";
  for (const _ of ["once", "again"]) expect(await root.run([close])).toEqual({ code: 0, stdout: "", stderr: "" });
  for (const user of ["nobody", "daemon"]) expect(await findReadable(root, as(user))).toEqual([]);
  expect(await findReadable(root, as("root"))).toEqual(metadataUrls);
  expect((await root.run(["ip", "-6", "rule", "show"])).stdout.match(/prohibit/g)).toHaveLength(2);
});
