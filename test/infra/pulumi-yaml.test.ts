import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";

import { readConfig } from "../../infra/config/config.ts";

const root = join(import.meta.dirname, "../..");
const Setting = Type.Object({
  type: Type.Optional(Type.String()),
  description: Type.String({ minLength: 20 }),
  default: Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]),
});
const Project = Type.Object({ main: Type.String(), config: Type.Record(Type.String(), Setting) });
const project = Value.Parse(Project, parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")));

beforeAll(async () => {
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "lifeboat", "test");
});

test("the defaults that Pulumi.yaml gives are those that the program would take", () => {
  const required = {
    "hcloud:token": "t".repeat(64),
    "aws:region": "eu-central-1",
    "lifeboat:apiTokens": "a".repeat(24),
    "lifeboat:adminCidrs": '["203.0.113.7/32"]',
    "lifeboat:sshKeys": '["laptop"]',
  };
  const settings = Object.entries(project.config).map(([name, setting]) => [
    `lifeboat:${name}`,
    renderDefault(setting.default),
  ]);
  pulumi.runtime.setAllConfig({ ...Object.fromEntries(settings), ...required });
  const { apiTokens: _given, ...declared } = readConfig();
  pulumi.runtime.setAllConfig(required);
  const { apiTokens: _taken, ...undeclared } = readConfig();
  expect(declared).toEqual(undeclared);
});

test("every setting that the program reads is described in Pulumi.yaml, and no other", () => {
  const sources = ["config.ts", "domain-config.ts", "store-config.ts"]
    .map((name) => readFileSync(join(root, "infra/config", name), "utf8"))
    .join("\n");
  const names = [
    ...sources.matchAll(
      /read\.(?:optional|required|choice|text|pattern|integer|flag|list|optionalSecret)\(\s*"(\w+)"/g,
    ),
  ].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(15);
  expect(new Set(names)).toEqual(new Set(Object.keys(project.config)));
});

test("the secrets are not among the settings with defaults, which stand in the repository in clear", () => {
  expect(Object.keys(project.config)).not.toContain("apiTokens");
  expect(Object.keys(project.config)).not.toContain("secretAccessKey");
});

function renderDefault(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
