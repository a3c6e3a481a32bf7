import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect } from "vitest";

import { renderSettings } from "../../scripts/remote/machine-settings.ts";
import { exampleInput } from "../cloud-init/example-input.ts";
import { type Ran, machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { stubCommand } from "../cloud-init/stub-command.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { makeMachineKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 600_000;
const script = readFileSync(join(import.meta.dirname, "../../scripts/remote/bring-up.sh"), "utf8");

let release: BuiltRelease;
beforeAll(async () => {
  release = await BuiltRelease.make();
}, timeout);
afterAll(() => release[Symbol.dispose]());

machineTest(
  "what only adds can be taken back; before anything else the activation names the restore point",
  { timeout },
  async () => {
    await using bucket = await ReleaseBucket.open({ iamApi: true });
    await release.upload(bucket);
    const key = await makeMachineKey(bucket, "first");
    using volume = new VolumeFile();
    await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume, { key });
    await stubCommand(machine.root, "cloud-init", "");
    const settings = { ...exampleInput, ...key, apiTokensSha256: [machine.tokenSha256] };
    const bringUp = (sha256: string): Promise<Ran> =>
      machine.root.run(["sh", "-c", `set -- ${sha256}\n${script}`], renderSettings(settings));
    const migrating = (statements: readonly Step[]) =>
      Object.fromEntries(["app/writer-thread.mjs", "app/plan.mjs"].map((name) => [name, addSteps(name, statements)]));
    expect(await bringUp(release.sha256)).toMatchObject({ code: 0 });

    const adds: Step = { kind: "additive", sql: "create table extra (id text)" };
    const added = await bucket.putRelease(release.change(migrating([adds])));
    expect(await bringUp(added)).toMatchObject({ code: 0, stderr: expect.stringContaining("pending: additive") });
    const back = await bringUp(release.sha256);
    // Where the tests lack CAP_SYS_RESOURCE, the kernel refuses to look whether ext4 has grown.
    const stderr = back.stderr.replaceAll(
      /^lifeboat: (?:\/data stays at .*not permitted.*|going on with the volume as it is)\n/gm,
      "",
    );
    expect({ ...back, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await machine.ask("GET", "/ready")).status).toBe(200);

    const drops: Step = { kind: "plain", sql: "drop table extra" };
    const broken: Step = { kind: "plain", sql: "drop table customers" };
    const refused = await bucket.putRelease(release.change(migrating([adds, drops, broken])));
    const before = await bringUp(refused);
    expect(before).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/stays down[^]*kind \\?"rebuild[^]*going back/),
    });
    expect((await machine.ask("GET", "/ready")).status).toBe(200);

    const final = await bucket.putRelease(release.change(migrating([adds, drops])));
    const point = /no way back.*but a restore\. The restore point: epoch 0001-\S+, TXID [0-9a-f]{16}, \d/;
    expect(await bringUp(final)).toMatchObject({ code: 0, stderr: expect.stringMatching(point) });
    const starts = await machine.countStarts();
    const none = await bringUp(release.sha256);
    expect(none).toMatchObject({
      code: 100,
      stderr: expect.stringMatching(/not additive; deploy a newer one, or restore .*TXID[^]*nothing was stopped/),
    });
    expect(await machine.countStarts()).toBe(starts);
    expect((await machine.ask("GET", "/ready")).status).toBe(200);
  },
);

type Step = { kind: string; sql: string };

/** The bundle of a release that knows more migrations. */
function addSteps(name: string, steps: readonly Step[]): string {
  const last = /\{ number: 4, name: "attachments", kind: "additive", up: createAttachments \}/;
  const text = release.read(name);
  if (!last.test(text)) throw new Error(`${name} does not hold the list of migrations as expected`);
  const more = steps.map(
    ({ kind, sql }, index) =>
      `{ number: ${index + 5}, name: "extra ${index}", kind: "${kind}", *up() { yield { sql: ${JSON.stringify(sql)}, parameters: [] }; } }`,
  );
  return text.replace(last, (found) => [found, ...more].join(", "));
}
