import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { openTranscript } from "../../../app/cli/transcript.ts";
import { waitFor } from "../../../app/cli/wait-for.ts";
import { bringRelease } from "../../../scripts/deploy/bring-release.ts";
import { fetchDesiredRelease } from "../../../scripts/deploy/desired-release.ts";
import { releaseKey, uploadRelease } from "../../../scripts/deploy/upload-release.ts";
import { DeployUnderWay, fetchStandingWish } from "../../../scripts/deploy/wish.ts";
import { PlayedMachine } from "./played-machine.ts";
import { useVerbScene } from "./verb-scene.ts";

const [one, two, three] = ["1".repeat(64), "2".repeat(64), "3".repeat(64)];
const scene = useVerbScene([one, two]);
const { put, run } = scene;

test("a rollback wishes for the release before, waits for the report, and makes it the one of new machines", async () => {
  const ending = { code: 0, isCurrent: true, words: "noise\nlifeboat: this machine is not hardened" };
  await using machine = new PlayedMachine(scene.bucket, two, ending);
  const { code, stdout, stderr } = await run(["rollback"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("machine 4711 says: this machine is not hardened\n");
  expect(stdout).toContain(`serving ${one.slice(0, 12)}, before ${two.slice(0, 12)}; to go back: npm run rollback`);
  expect(machine.installer.current).toBe(one);
  expect(await fetchDesiredRelease(scene.store)).toEqual({ sha256: one, previous: two });
  expect((await fetchStandingWish(scene.store))?.wish).toMatchObject({ sha256: one, by: "octocat, GitHub run 77" });
});

test("releases lists the newest first, says what each is, and how the last deploy stands", async () => {
  const before = await run(["releases"]);
  expect(before.stdout).toContain("nothing was deployed by the bucket yet");
  await using _machine = new PlayedMachine(scene.bucket, two);
  await run(["rollback", one.slice(0, 10)]);
  await put(releaseKey(three), "the newest");
  const { code, stdout } = await run(["releases"]);
  expect(code).toBe(0);
  const [head, ...rows] = stdout.trim().split("\n");
  expect(head).toMatch(/^RELEASE +IN THE BUCKET SINCE +SIZE +WHAT IT IS$/);
  expect(rows[0]).toContain(three.slice(0, 12));
  expect(rows.find((row) => row.startsWith(one.slice(0, 12)))).toMatch(/runs, new machines$/);
  expect(rows.find((row) => row.startsWith(two.slice(0, 12)))).toMatch(/before$/);
  expect(rows.at(-1)).toMatch(/^last deploy: 1{12} at .*, by octocat, GitHub run 77: serving$/);
});

test.each([
  [
    3,
    { code: 101, isCurrent: false, words: "lifeboat: x does not get ready, going back to y\nno luck today" },
    "no luck today",
  ],
  [4, { code: 102, isCurrent: true, words: "lifeboat: x does not get ready and has migrated" }, "has migrated"],
  [
    1,
    { code: 100, isCurrent: false, words: "lifeboat: the release cannot serve this database, and nothing was stopped" },
    "cannot serve this database",
  ],
])(
  "exit code %i when the machine reports so, with its words, and new machines stay as they are",
  async (expected, ending, words) => {
    await using _machine = new PlayedMachine(scene.bucket, two, ending);
    const { code, stderr } = await run(["rollback"]);
    expect({ code, stderr }).toEqual({ code: expected, stderr: expect.stringContaining(words) });
    expect(await fetchDesiredRelease(scene.store)).toEqual({ sha256: two, previous: one });
  },
);

test(
  "a machine that is down is told, carries the wish out when it comes back, and the rest is made up for",
  { timeout: 60_000 },
  async () => {
    const down = await run(["rollback", "--limit", "2s"]);
    expect(down).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("no machine has begun the deploy within 2 s"),
    });
    expect(down.stderr).toContain("carries it out when it comes back");
    expect((await run(["releases"])).stdout).toContain("no machine has begun it");
    await using machine = new PlayedMachine(scene.bucket, two);
    await waitFor(
      "the wish to be carried out",
      async () => ((await fetchStandingWish(scene.store))?.report?.outcome === "serving" ? true : null),
      { timeoutMs: 10_000 },
    );
    expect(machine.installer.current).toBe(one);
    const gap = await run(["releases"]);
    expect(gap.stdout).toContain(`New machines still install ${two.slice(0, 12)}`);
    const [, again = ""] = /npm run rollback -- (\w+) ends it/.exec(gap.stdout) ?? [];
    expect(await run(["rollback", again])).toMatchObject({ code: 0 });
    expect(await fetchDesiredRelease(scene.store)).toEqual({ sha256: one, previous: two });
  },
);

test("of two deploys at once the second is refused, with who and when, and changes nothing", async () => {
  const { deploy, at } = await scene.wishFor(two);
  const words = `ada deploys ${two.slice(0, 12)} since ${at}`;
  expect(await run(["rollback"])).toMatchObject({ code: 1, stderr: expect.stringContaining(words) });
  expect((await fetchStandingWish(scene.store))?.wish.deploy).toBe(deploy);
});

test("two that begin in the same moment do not both believe that they have begun", async () => {
  const claims = await Promise.allSettled([one, two, three].map((sha256) => scene.wishFor(sha256)));
  const won = claims.filter(({ status }) => status === "fulfilled");
  expect(won).toHaveLength(1);
  for (const claim of claims) if (claim.status === "rejected") expect(claim.reason).toBeInstanceOf(DeployUnderWay);
});

test("the same release is joined: whoever was interrupted waits for the same report", async () => {
  const { deploy, at } = await scene.wishFor(one);
  const waited = await run(["rollback", "--limit", "1s"]);
  expect(waited).toMatchObject({ code: 5, stdout: expect.stringContaining(`stands since ${at}, by ada`) });
  expect((await fetchStandingWish(scene.store))?.wish.deploy).toBe(deploy);
});

test("a deploy of which nothing is heard any more may be replaced, and its deployer is told", async () => {
  const at = new Date(Date.now() - 11 * 60_000).toISOString();
  await put(
    "wanted-release.json",
    JSON.stringify({ format: 1, deploy: "old", sha256: three, at, by: "ada", way: "bucket" }),
  );
  const waiting = bringRelease(scene.store, { sha256: three, limitMs: 20_000 }, openTranscript({ json: true }));
  const told = expect(waiting).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining("by octocat, GitHub run 77"),
  });
  expect(await run(["rollback", "--limit", "2s"])).toMatchObject({ code: 5 });
  await told;
});

test.each([
  ["unknown", ["rollback", "deadbeef"], "has no release deadbeef"],
  ["no hash", ["rollback", "latest"], "is no release"],
] as const)("a release that is %s is refused", async (_what, words, told) => {
  expect((await run(words)).stderr).toContain(told);
  expect(await fetchStandingWish(scene.store)).toBeUndefined();
});

test("without a release before this one there is nothing to go back to", async () => {
  await put("desired-release.json", JSON.stringify({ sha256: one, previous: null }));
  expect(await run(["rollback"])).toMatchObject({ code: 1, stderr: expect.stringContaining("no release before") });
  await put("desired-release.json", JSON.stringify({ sha256: one, previous: three }));
  expect(await run(["rollback"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no longer in the bucket"),
  });
});

const noKey = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_EC2_METADATA_DISABLED: "true", HOME: "/nowhere" };
test.each([
  [{ LIFEBOAT_BUCKET: "", PULUMI_HOME: "/nowhere" }, "as in CI, set LIFEBOAT_BUCKET and LIFEBOAT_REGION"],
  [{ LIFEBOAT_REGION: "" }, "LIFEBOAT_REGION, its region, is not: set both"],
  [noKey, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"],
  [{ LIFEBOAT_ENDPOINT: "not a url" }, "LIFEBOAT_ENDPOINT must start with"],
  [{ LIFEBOAT_BUCKET_ID: "another-bucket" }, "it is another bucket"],
])("a place that is not told or not the right one is refused: %j", async (environment, told) => {
  expect(await run(["rollback"], environment)).toMatchObject({ code: 1, stderr: expect.stringContaining(told) });
});

test("a bucket that no stack has made is refused; its own id is accepted", async () => {
  const strange = await scene.scripted.newBucket();
  const refused = await run(["releases"], { LIFEBOAT_BUCKET: strange });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("has no lifeboat.json") });
  expect(await run(["releases"], { LIFEBOAT_BUCKET_ID: scene.bucketId })).toMatchObject({ code: 0 });
});

test("a release is uploaded once, and never another content than its name says", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-upload-"));
  const path = join(directory, "release.tar.gz");
  writeFileSync(path, "built");
  const sha256 = createHash("sha256").update("built").digest("hex");
  expect(await uploadRelease(scene.store, { sha256, path })).toBe(5);
  expect(await uploadRelease(scene.store, { sha256, path })).toBeNull();
  await expect(uploadRelease(scene.store, { sha256: three, path })).rejects.toThrow(`has SHA-256 ${sha256}`);
  rmSync(directory, { recursive: true });
});

test.each(["wanted-release.json", "reports/deploys/one.json", "desired-release.json"])(
  "a damaged %s is named, and what to do about it",
  async (key) => {
    const wish = { format: 1, deploy: "one", sha256: one, at: new Date().toISOString(), by: "ada", way: "bucket" };
    await put("wanted-release.json", JSON.stringify(wish));
    await put(key, "<html>503</html>");
    for (const words of [["releases"], ["rollback", "--limit", "1s"]] as const)
      expect(await run(words)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(new RegExp(`${key} in bucket .* is not JSON.*older version of it.*delete it`)),
      });
  },
);

test("without its name the release before the one that runs is meant, also where new machines lag behind", async () => {
  await put(releaseKey(three), "the newest");
  await scene.serve(three, two);
  await using machine = new PlayedMachine(scene.bucket, three);
  expect(await run(["rollback"])).toMatchObject({ code: 0 });
  expect(machine.installer.current).toBe(two);
});

test("a rollback that was cut off before its end is ended by the next one, and not taken back", async () => {
  await scene.serve(one, two);
  await using machine = new PlayedMachine(scene.bucket, one);
  expect(await run(["rollback"])).toMatchObject({ code: 0 });
  expect(machine.installer.current).toBe(one);
  expect(await fetchDesiredRelease(scene.store)).toEqual({ sha256: one, previous: two });
});
