import { expect, test } from "vitest";

import { askEveryMs } from "../../app/deploys/deploy-report.ts";
import { headPollMs } from "../../app/replica/head-watch.ts";
import { listingEveryMs } from "../../app/replica/inspections.ts";
import { litestreamConfig } from "../../app/replica/litestream-config.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import { countRequests, litestreamSettings, snapshotHours } from "../../infra/cost/count-requests.ts";
import { estimateMonthlyCost, renderMonthlyCost } from "../../infra/cost/monthly-cost.ts";

const settings = litestreamSettings({ replicationIntervalMs: 1000, retentionHours: 24 });
const input = {
  serverType: "cx33",
  volumeSizeGb: 10,
  store: "aws",
  replicationIntervalMs: 1000,
  syncsPerMonth: 26_000_000,
  retentionHours: 24,
} as const;

test.each([
  [1_000, 6],
  [1_000, 24],
  [10_000, 24],
  [60_000, 168],
])("the model counts with what the app gives to Litestream at %d ms, %d h", (replicationIntervalMs, retentionHours) => {
  const config = litestreamConfig(
    {
      machineId: "m",
      bootId: "b",
      files: machineFiles("/data", "/run"),
      bucket: { bucket: "b", region: "r", pathStyle: false, accessKeyId: "a", secretAccessKey: "s" },
      bucketId: "bucket-id",
      litestreamPath: "litestream",
      replicationIntervalMs,
      syncsPerMonth: 26_000_000,
      retentionHours,
      acceptAdvisoryFence: false,
    },
    "0001-00000000",
  );
  const { snapshot } = config;
  expect({
    replicationIntervalMs: seconds(config.dbs[0]["monitor-interval"]) * 1000,
    retentionHours: seconds(snapshot.retention) / 3600,
    levelSeconds: config.levels.map(({ interval }) => seconds(interval)),
    l0RetentionSeconds: seconds(config["l0-retention"]),
    l0CheckSeconds: seconds(config["l0-retention-check-interval"]),
    verifyCompaction: config["verify-compaction"],
    headPollMs,
    wishPollMs: askEveryMs,
    listingSeconds: listingEveryMs / 1000,
  }).toEqual(litestreamSettings({ replicationIntervalMs, retentionHours }));
  expect(seconds(snapshot.interval) / 3600).toBe(snapshotHours({ retentionHours }));
});

function seconds(duration: string): number {
  const [, number, unit = ""] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? [];
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return Number(number) * (units[unit] ?? NaN);
}

test("a file a second is 2.6 million PUTs a month, and a tenth of it at ten seconds", () => {
  const unlisted = { ...settings, verifyCompaction: false };
  const files = (replicationIntervalMs: number) => countRequests({ ...unlisted, replicationIntervalMs }).put;
  expect(files(1000)).toBeGreaterThan(2_592_000);
  expect(files(1000)).toBeLessThan(2_592_000 * 1.2);
  expect(files(10_000)).toBeLessThan(files(1000) / 4);
});

test("requests cost less than 16 dollars a month at one second, and less than 3.5 at ten", () => {
  expect(requestsUsd(1_000)).toBeLessThan(16);
  expect(requestsUsd(10_000)).toBeLessThan(3.5);
});

function requestsUsd(replicationIntervalMs: number): number {
  const { lines } = estimateMonthlyCost({ ...input, replicationIntervalMs });
  return lines.reduce((all, { item, amount }) => (item.endsWith("requests") ? all + (amount ?? 0) : all), 0);
}

test("the listings agree with what was computed for other settings from Litestream's source before", () => {
  // 1 s, seven days, levels of 5 m, 1 h and 24 h, check every 5 m: 0.4 dollars of LIST, 13.4 of PUT.
  const week = { ...settings, retentionHours: 168 };
  const tuned = { ...week, levelSeconds: [300, 3600, 86_400], verifyCompaction: false } as const;
  expect((countRequests(tuned).list / 1e6) * 5).toBeLessThan(0.6);
  expect((countRequests(tuned).put / 1e6) * 5).toBeCloseTo(13, 0);
  // 1 s, seven days, Litestream's defaults of 30 s, 5 m and 1 h, check every 15 s: about 35 dollars of LIST.
  const defaults = { ...week, levelSeconds: [30, 300, 3600], l0CheckSeconds: 15, verifyCompaction: false } as const;
  const listUsd = (countRequests(defaults).list / 1e6) * 5;
  expect(listUsd).toBeGreaterThan(17);
  expect(listUsd).toBeLessThan(40);
});

test("verifying every compaction costs a listing of its whole level, so more the longer the replica is kept", () => {
  expect(countLists(168, true)).toBeGreaterThan(5 * countLists(168, false));
  expect(countLists(720, true)).toBeGreaterThan(3 * countLists(168, true));
});

function countLists(retentionHours: number, verifyCompaction: boolean): number {
  return countRequests({ ...settings, listingSeconds: Number.POSITIVE_INFINITY, retentionHours, verifyCompaction })
    .list;
}

test("the bill is added up by currency", () => {
  const { lines, totalEur, totalUsd } = estimateMonthlyCost(input);
  const sum = (currency: string) =>
    lines.filter((line) => line.currency === currency).reduce((all, { amount }) => all + (amount ?? 0), 0);
  expect(totalEur).toBeCloseTo(sum("EUR"));
  expect(totalEur).toBeCloseTo(8.49 + 0.57 + 0.5);
  expect(totalUsd).toBeCloseTo(sum("USD"));
});

test("what `bucket` writes may cost at most stands in the bill", () => {
  expect(renderMonthlyCost(estimateMonthlyCost({ ...input, syncsPerMonth: 5_000_000 }))).toContain(
    "5.00 million at most",
  );
});

test("an unknown price makes the total unknown instead of too small", () => {
  const bill = estimateMonthlyCost({ ...input, serverType: "ccx63", store: "given" });
  expect([bill.totalEur, bill.totalUsd]).toEqual([null, null]);
  expect(renderMonthlyCost(bill)).toContain("? EUR");
});
