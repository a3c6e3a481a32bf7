import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

import { expect, test } from "vitest";
import { parse } from "yaml";

import { readConfig } from "../../app/config.ts";
import { readTokensFile } from "../../app/http/live-tokens.ts";
import { parseTokens } from "../../app/http/tokens.ts";
import { tokensEntry } from "../../cloud-init/machine-files.ts";
import type { UserDataInput } from "../../cloud-init/user-data-input.ts";
import { renderUserData, userDataLimitBytes } from "../../cloud-init/user-data.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { exampleInput } from "./example-input.ts";
import { readUnitEnvironment } from "./read-unit.ts";
import { parseUserData } from "./write-user-data.ts";

const compatible: UserDataInput = {
  ...exampleInput,
  filesystem: "btrfs",
  bucket: { ...exampleInput.bucket, endpoint: "https://s3.eu-central-003.backblazeb2.com", pathStyle: true },
  edge: {
    ...exampleInput.edge,
    domain: "app.example.com",
    www: true,
    ipv6: "2001:db8:9::1",
    acmeDirectory: "https://acme.example/directory",
  },
};

test.each([
  ["ext4", exampleInput],
  ["btrfs", compatible],
])("the user-data with %s is the reviewed golden file", async (name, input) => {
  await expect(renderUserData(input)).toMatchFileSnapshot(`../golden/user-data-${name}.yaml`);
});

test("it is cloud-config, says nothing that we do not use, and has room to grow", () => {
  const text = renderUserData(compatible);
  expect(text.startsWith("#cloud-config\n")).toBe(true);
  expect(parseUserData(text)).toMatchObject({ hostname: "lifeboat", ssh_pwauth: false, disable_ec2_metadata: true });
  expect(Buffer.byteLength(text)).toBeLessThan((userDataLimitBytes * 3) / 4);
});

test("the secret stands in one file, which only root reads", () => {
  const { write_files: files, ...rest } = parseUserData(renderUserData(exampleInput));
  const { secretAccessKey } = exampleInput.key;
  const holders = files.filter(({ content }) => content.includes(secretAccessKey));
  expect(holders.map(({ path, permissions }) => [path, permissions])).toEqual([["/etc/lifeboat/environment", "0600"]]);
  expect(JSON.stringify(rest)).not.toContain(secretAccessKey);
});

test("bootcmd begins what runcmd begins otherwise, once the last file is there, and waits for nothing", () => {
  const { bootcmd, runcmd, write_files: files } = parseUserData(renderUserData(exampleInput));
  const [words = []] = bootcmd;
  expect(bootcmd).toHaveLength(1);
  const begin = words.slice(words.indexOf("systemctl")).join(" ");
  expect(runcmd).toEqual([["sh", "-c", `systemctl --quiet is-enabled lifeboat-bootstrap.service || ${begin}`]]);
  expect(words).toContain(`--path-property=PathExists=${files.at(-1)?.path}`);
  expect(words).toContain("--no-block");
});

test.each([exampleInput, compatible])("the app accepts what user-data and its own unit give to it", (input) => {
  using directory = makeTemporaryDirectory();
  const heartbeatUrl = "https://ping.example/a-secret?$=%s";
  const { machine, ...config } = readConfig(placeTokens(gatherEnvironment({ ...input, heartbeatUrl }), directory.path));
  const { endpoint, bucketId, ...place } = input.bucket;
  expect(machine.bucket).toEqual({ ...place, ...input.key, ...(endpoint !== undefined && { endpoint }) });
  expect(machine).toMatchObject({ bucketId, replicationIntervalMs: 1000, files: { database: "/data/app.db" } });
  expect(readTokensFile(config.tokensFile ?? "").map(({ digest }) => digest)).toEqual(input.apiTokensSha256);
  expect(config.heartbeatUrl).toBe(heartbeatUrl);
});

test("the app accepts the machine's name from the units", () => {
  const digest = "a1".repeat(32);
  const names = [
    "",
    ":",
    "a",
    "A",
    "9",
    "_a",
    "-a",
    ".a",
    "a.b_c-d",
    "a b",
    "a:b",
    "a,b",
    "ä",
    "a".repeat(64),
    "a".repeat(65),
  ];
  for (const name of names) {
    const entry = name === "" ? digest : `${name}:${digest}`;
    expect(tokensEntry.test(entry), entry).toBe(isTaken(entry));
  }
});

test("the tokens have a file of their own, with their names, and the settings only name it", () => {
  const apiTokensSha256 = [`shop:${"a1".repeat(32)}`, "b2".repeat(32)];
  const { write_files: files } = parseUserData(renderUserData({ ...exampleInput, apiTokensSha256 }));
  const holders = files.filter(({ content }) => content.includes("b2b2"));
  expect(holders).toEqual([
    { path: "/etc/lifeboat/tokens", permissions: "0600", content: `${apiTokensSha256.join("\n")}\n` },
  ]);
});

test.each([
  [{ pathStyle: false }, "https://acme-lifeboat.s3.eu-central-1.amazonaws.com"],
  [{ pathStyle: true }, "https://s3.eu-central-1.amazonaws.com/acme-lifeboat"],
  [
    { pathStyle: false, endpoint: "https://fsn1.your-objectstorage.com/" },
    "https://acme-lifeboat.fsn1.your-objectstorage.com",
  ],
  [{ pathStyle: true, endpoint: "http://127.0.0.1:9000" }, "http://127.0.0.1:9000/acme-lifeboat"],
])("the bucket with %o is found at %s", (place, url) => {
  const environment = gatherEnvironment({ ...exampleInput, bucket: { ...exampleInput.bucket, ...place } });
  expect(environment["LIFEBOAT_BUCKET_URL"]).toBe(url);
});

test("the same input gives the same text, whatever the order of its keys", () => {
  const shuffled = Object.fromEntries(Object.entries(exampleInput).toReversed());
  expect(renderUserData({ ...exampleInput, ...shuffled })).toBe(renderUserData(exampleInput));
});

test("all faults are reported together, and none shows the secret", () => {
  const input: UserDataInput = {
    ...exampleInput,
    hostname: "Not A Host",
    release: { sha256: "latest" },
    key: { accessKeyId: "id", secretAccessKey: "a'b; rm -rf" },
    apiTokensSha256: [],
    heartbeatUrl: "https://somebody:hunter2@ping.example",
  };
  const render = () => renderUserData(input);
  expect(render).toThrow(
    /hostname must .*release\.sha256 must .*key\.secretAccessKey must .*apiTokensSha256 is empty.*heartbeatUrl must /,
  );
  expect(render).not.toThrow(/rm -rf|hunter2/);
});

test("a text that Hetzner would not accept is refused here", () => {
  const apiTokensSha256 = Array.from({ length: 500 }, () => "0".repeat(64));
  expect(() => renderUserData({ ...exampleInput, apiTokensSha256 })).toThrow(/only 32768 are accepted/);
});

test("the YAML reader would see a second document or a broken one", () => {
  expect(() => parseUserData("#cloud-config\n- a\n")).toThrow();
  expect(parse(renderUserData(exampleInput))).toHaveProperty("write_files");
});

function isTaken(entry: string): boolean {
  try {
    return parseTokens([entry]).length === 1;
  } catch {
    return false;
  }
}

/** The tokens of the machine, where this test can write them. */
function placeTokens(environment: ReturnType<typeof gatherEnvironment>, directory: string): typeof environment {
  const file = parseUserData(renderUserData(exampleInput)).write_files.find(
    ({ path }) => path === environment["LIFEBOAT_API_TOKENS_FILE"],
  );
  const path = join(directory, "tokens");
  writeFileSync(path, file?.content ?? "");
  return { ...environment, LIFEBOAT_API_TOKENS_FILE: path };
}

/** What systemd hands to the app: the file of user-data and the lines of the unit. */
function gatherEnvironment(input: UserDataInput): Record<string, string | undefined> {
  const files = parseUserData(renderUserData(input)).write_files;
  const environment = files.find(({ path }) => path === "/etc/lifeboat/environment");
  return {
    LIFEBOAT_MACHINE_ID: "m",
    LIFEBOAT_BOOT_ID: "b",
    ...parseEnv(environment?.content ?? ""),
    ...readUnitEnvironment("app.service"),
  };
}
