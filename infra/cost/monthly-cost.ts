import { epochsHistoryDays } from "../config/store-config.ts";
import { countRequests, litestreamSettings, snapshotHours } from "./count-requests.ts";

export type CostInput = {
  serverType: string;
  volumeSizeGb: number;
  store: "aws" | "given";
  replicationIntervalMs: number;
  syncsPerMonth: number;
  retentionHours: number;
};

type CostLine = {
  item: string;
  detail: string;
  /** Per month of 30 days, without VAT. Null when the price is unknown. */
  amount: number | null;
  currency: "EUR" | "USD";
};

export type MonthlyCost = { lines: readonly CostLine[]; totalEur: number | null; totalUsd: number | null };

// Hetzner's prices of 15 June 2026, net, per month. They hold for new orders; a replaced server is a new order.
const serverEur: Record<string, number> = { cx33: 8.49, cax21: 10.49 };
const volumeGbEur = 0.057;
/** An IPv4 address, also while it is only reserved. IPv6 networks are free. */
export const addressEur = 0.5;

// AWS S3 Standard, us-east-1. eu-central-1 is about 8 % more expensive.
const perMillionUsd = { put: 5, list: 5, get: 0.4 };
const storageGbUsd = 0.023;
const databaseGb = 1;
/**
 * Traffic out of AWS. The restore that is compared with the live database reads it once a day, or about 1 GB a day when
 * it is smaller.
 */
const transferGbUsd = 0.09;
const restoredGb = 30 * databaseGb;

/**
 * Estimates the bill of a month of uninterrupted writes: the most that replication can cost, without `bucket` writes.
 */
export function estimateMonthlyCost(input: CostInput): MonthlyCost {
  const lines = [...hetznerLines(input), ...(input.store === "aws" ? awsLines(input) : givenStoreLines())];
  return { lines, totalEur: total(lines, "EUR"), totalUsd: total(lines, "USD") };
}

/** The bill in one line. */
export function summariseMonthlyCost(input: CostInput): string {
  const { totalEur, totalUsd } = estimateMonthlyCost(input);
  const amounts = [
    renderAmount({ amount: totalEur, currency: "EUR" }),
    renderAmount({ amount: totalUsd, currency: "USD" }),
  ];
  return `${amounts.join(" and ")}, if every second brings a write`;
}

/** The bill as a table for people. */
export function renderMonthlyCost({ lines, totalEur, totalUsd }: MonthlyCost): string {
  const totals: CostLine[] = [
    { item: "total", detail: "", amount: totalEur, currency: "EUR" },
    { item: "total", detail: "", amount: totalUsd, currency: "USD" },
  ];
  const rows = [...lines, ...totals].map((line) => [line.item, line.detail, renderAmount(line)] as const);
  const table = [["ITEM", "DETAIL", "A MONTH"] as const, ...rows];
  const [first, second] = [
    Math.max(...table.map(([item]) => item.length)),
    Math.max(...table.map(([, detail]) => detail.length)),
  ];
  return table
    .map(([item, detail, amount]) => `${item.padEnd(first)}  ${detail.padEnd(second)}  ${amount.padStart(12)}`)
    .join("\n");
}

function renderAmount({ amount, currency }: Pick<CostLine, "amount" | "currency">): string {
  return amount === null ? `? ${currency}` : `${amount.toFixed(2)} ${currency}`;
}

function hetznerLines({ serverType, volumeSizeGb }: CostInput): CostLine[] {
  const server = serverEur[serverType];
  const known = server === undefined ? "price not known here; see hetzner.com/cloud" : "net, prices of June 2026";
  return [
    { item: "machine", detail: `${serverType}, ${known}`, amount: server ?? null, currency: "EUR" },
    { item: "volume", detail: `${volumeSizeGb} GB`, amount: cents(volumeSizeGb * volumeGbEur), currency: "EUR" },
    { item: "address", detail: "one IPv4 address; IPv6 and the zone are free", amount: addressEur, currency: "EUR" },
  ];
}

function awsLines({ replicationIntervalMs, syncsPerMonth, retentionHours }: CostInput): CostLine[] {
  const requests = countRequests(litestreamSettings({ replicationIntervalMs, retentionHours }));
  // A snapshot is kept for the retention, and after that as an old version.
  const storedGb = databaseGb * ((retentionHours + epochsHistoryDays * 24) / snapshotHours({ retentionHours }) + 1);
  const request = (item: "put" | "list" | "get", detail: string): CostLine => ({
    item: `${item.toUpperCase()} requests`,
    detail: `${millions(requests[item])} million, ${detail}`,
    amount: cents((requests[item] / 1e6) * perMillionUsd[item]),
    currency: "USD",
  });
  return [
    request("put", `a file every ${replicationIntervalMs} ms while there are writes`),
    request("list", "compaction, retention, and the judge of the replica"),
    request("get", "the fence, the watch for deploys, and compaction"),
    {
      item: "storage",
      detail: `${Math.round(storedGb)} GB for a database of ${databaseGb} GB`,
      amount: cents(storedGb * storageGbUsd),
      currency: "USD",
    },
    {
      item: "restores",
      detail: `${restoredGb} GB read back a month to prove that the replica restores`,
      amount: cents(restoredGb * transferGbUsd),
      currency: "USD",
    },
    {
      item: "`bucket` syncs",
      detail: `5.40 USD more for each million: one PUT, one GET; ${millions(syncsPerMonth)} million at most`,
      amount: 0,
      currency: "USD",
    },
  ];
}

function givenStoreLines(): CostLine[] {
  return [{ item: "bucket", detail: "see the price list of your store", amount: null, currency: "USD" }];
}

function total(lines: readonly CostLine[], currency: CostLine["currency"]): number | null {
  const amounts = lines.filter((line) => line.currency === currency).map(({ amount }) => amount);
  return amounts.includes(null) ? null : cents(amounts.reduce<number>((sum, amount) => sum + (amount ?? 0), 0));
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

function millions(count: number): string {
  return (count / 1e6).toFixed(2);
}
