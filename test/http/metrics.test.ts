import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";
import { parse } from "yaml";

import { startTestServer, type TestServer } from "./test-server.ts";

const root = dirname(dirname(import.meta.dirname));
const rulesFile = join(root, "docs/alerts/lifeboat.rules.yml");
type Rule = { alert: string; expr: string; for: string; annotations: { runbook: string } };
const rules: Rule[] = parse(readFileSync(rulesFile, "utf8")).groups[0].rules;
const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined;

async function scrape({ server }: TestServer, headers = {}): Promise<{ status: number; text: string }> {
  const answer = await server.inject({ method: "GET", url: "/metrics", headers });
  return { status: answer.statusCode, text: answer.body };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function valueOf(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

test("Prometheus reads what the machine knows, and counts requests from its first question on", async () => {
  await using started = await startTestServer();
  expect((await scrape(started)).status).toBe(401);
  await started.call("GET", "/pages");
  const { text: first } = await scrape(started, bearer("a-token-for-tests"));
  expect(first).not.toContain('route="/pages"');
  for (let count = 0; count < 3; count += 1) await started.call("GET", "/pages");
  await started.call("GET", "/nothing-here");
  const { status, text } = await scrape(started, bearer("a-token-for-tests"));
  expect(status).toBe(200);
  expect(valueOf(text, 'lifeboat_http_request_seconds_count{method="GET",route="/pages",status="200"}')).toBe(3);
  expect(valueOf(text, 'lifeboat_http_request_seconds_count{method="GET",route="none",status="404"}')).toBe(1);
  expect(valueOf(text, "lifeboat_ready")).toBe(1);
  expect(valueOf(text, "lifeboat_disk_bytes")).toBeGreaterThan(valueOf(text, "lifeboat_disk_free_bytes"));
  expect(valueOf(text, 'lifeboat_leave{trigger="writes"}')).toBe(0);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds [\d.e-]+$/m);
});

test("what the alerts ask for is there, and each has a page with all that one needs at night", async () => {
  await using started = await startTestServer();
  const { text } = await scrape(started, bearer("a-token-for-tests"));
  for (const { alert, expr, annotations } of rules) {
    for (const [name] of expr.matchAll(/lifeboat_\w+/g))
      expect(text, alert).toMatch(new RegExp(`^# TYPE ${name} `, "m"));
    expect(annotations.runbook).toBe(`docs/runbooks/alerts/${alert}.md`);
    const page = readFileSync(join(root, annotations.runbook), "utf8");
    for (const part of ["Meaning", "Impact", "Diagnosis", "Mitigation"]) expect(page, alert).toContain(`**${part}.** `);
  }
  expect(rules).toHaveLength(8);
  if (!hasPromtool) return;
  // The library has its own names.
  const own = text.split("\n").filter((line) => line.includes("lifeboat_"));
  execFileSync("promtool", ["check", "metrics"], { input: `${own.join("\n")}\n`, stdio: "pipe" });
});

/** A value that must raise each alert, and one just on the quiet side. */
const edges: Record<string, [series: string, loud: number, quiet: number]> = {
  LifeboatDown: ['up{job="lifeboat"}', 0, 1],
  LifeboatNotReady: ["lifeboat_ready", 0, 1],
  LifeboatNotReplicated: ["lifeboat_replication_age_seconds", 121, 120],
  LifeboatReplicaBroken: ["lifeboat_replica_sound", 0, 1],
  LifeboatWritesWait: ["lifeboat_oldest_write_seconds", 6, 5],
  LifeboatWalGrows: ["lifeboat_wal_bytes", 134_217_729, 134_217_728],
  LifeboatDiskFills: ["lifeboat_disk_free_bytes", 9, 10],
  LifeboatLeave: ['lifeboat_leave{trigger="writes"}', 2, 1],
};

test.skipIf(!hasPromtool)("each alert is raised on its side of the edge, after its time, and on no other", () => {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-alerts-"));
  try {
    execFileSync("promtool", ["check", "rules", rulesFile], { stdio: "pipe" });
    const file = join(folder, "alerts.test.json");
    writeFileSync(file, JSON.stringify({ rule_files: [rulesFile], tests: rules.flatMap(listCases) }));
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
    expect(status, stdout + stderr).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Raised at its time with the loud value, not before, and never with the quiet one. */
function listCases({ alert, for: time }: Rule): object[] {
  const [series = "", loud = 0, quiet = 0] = edges[alert] ?? [];
  const minutes = Number.parseInt(time, 10);
  const others = alert === "LifeboatDiskFills" ? [{ series: "lifeboat_disk_bytes", values: "100x60" }] : [];
  const of = (value: number) => [{ series, values: `${value}x60` }, ...others];
  const ask = (at: number, isRaised: boolean) => ({
    expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
    eval_time: `${at}m`,
    exp_samples: isRaised ? [{ labels: "{}", value: 1 }] : [],
  });
  return [
    { interval: "1m", input_series: of(loud), promql_expr_test: [ask(minutes - 1, false), ask(minutes + 1, true)] },
    { interval: "1m", input_series: of(quiet), promql_expr_test: [ask(minutes + 1, false)] },
  ];
}
