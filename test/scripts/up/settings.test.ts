import { existsSync, mkdtempDisposableSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { changeSettings, ProposedSettings } from "../../../scripts/up/settings.ts";

const settings = `encryptionsalt: v1:abc
config:
  # where the customers are
  lifeboat:location: fsn1
  hcloud:token:
    secure: v1:0EqGPk644MkRYCqs:Ep/8psndl+Qt9e/T9Z8FRSPhZkOM2SzCzAOpzuywArIHn1AKVgFzKTIS5RRPePJEMLv/CsT7w4FTgKrg9cMG4w19o09aqtUwnYRHI1JYfbc=
`;

test("a location is changed and everything else stays to the letter", () => {
  expect(changeSettings(settings, { project: "lifeboat", location: "hel1", rebuild: false })).toBe(
    settings.replace("fsn1", "hel1"),
  );
});

test("a rebuild counts from nothing, and from what stands there", () => {
  const once = changeSettings(settings, { project: "lifeboat", rebuild: true });
  expect(once).toContain('lifeboat:rebuild: "1"');
  expect(changeSettings(once, { project: "lifeboat", rebuild: true })).toContain('lifeboat:rebuild: "2"');
});

test("the settings of a project with another name are its own", () => {
  const renamed = settings.replace("lifeboat:", "raft:");
  const changed = changeSettings(renamed, { project: "raft", location: "hel1", rebuild: true });
  expect(changed).toBe(`${renamed.replace("fsn1", "hel1")}  raft:rebuild: "1"\n`);
});

test("a proposal touches the stack's own file only when it is accepted, and leaves nothing behind", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "lifeboat-stack-"));
  const own = join(directory.path, "Pulumi.production.yaml");
  writeFileSync(own, settings);
  let proposedFile = "";
  {
    await using proposal = await ProposedSettings.propose(own, {
      project: "lifeboat",
      location: "hel1",
      rebuild: false,
    });
    proposedFile = proposal.file ?? "";
    expect(readFileSync(proposedFile, "utf8")).toContain("hel1");
    expect(statSync(proposedFile).mode & 0o077).toBe(0);
    expect(readFileSync(own, "utf8")).toBe(settings);
    await proposal.accept();
  }
  expect(readFileSync(own, "utf8")).toContain("lifeboat:location: hel1");
  expect(existsSync(proposedFile)).toBe(false);
});

test("without a change the stack's own file is planned with", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "lifeboat-stack-"));
  const own = join(directory.path, "Pulumi.production.yaml");
  writeFileSync(own, settings);
  await using proposal = await ProposedSettings.propose(own, { project: "lifeboat", location: "fsn1", rebuild: false });
  expect(proposal.file).toBeUndefined();
});
