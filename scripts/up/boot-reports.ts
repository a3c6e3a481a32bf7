import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { type Static, Type } from "typebox";

import type { CloudStore } from "../store/open-client.ts";
import { fetchJson } from "../store/store-object.ts";

const text = Type.Union([Type.String(), Type.Null()]);
const BootReportSchema = Type.Object({
  outcome: Type.String(),
  machine: Type.String(),
  startedAt: Type.String(),
  cause: text,
  next: text,
});

type BootReport = Static<typeof BootReportSchema>;

// The machine's clock is its own.
const clockSlackMs = 60_000;
const prefix = "reports/boot/";

/** The newest boot since then that was refused or lost its claim, as the bucket tells it; undefined when there is none. */
export async function findRefusedBoot(store: CloudStore, since: Date): Promise<BootReport | undefined> {
  const after = new Date(since.getTime() - clockSlackMs).toISOString();
  const listed = await store.client.send(
    new ListObjectsV2Command({ Bucket: store.bucket, Prefix: prefix, StartAfter: `${prefix}${after}` }),
  );
  // Their names begin with the time.
  for (const { Key = "" } of (listed.Contents ?? []).toReversed()) {
    const report = (await fetchJson(store, Key, BootReportSchema))?.value;
    if (report?.outcome === "refused" || report?.outcome === "lost") return report;
  }
  return undefined;
}

/** A refusal for people. */
export function renderRefusedBoot({ outcome, machine, startedAt, cause, next }: BootReport): string {
  const lines = [
    `the boot of machine ${machine} at ${startedAt} was ${outcome === "lost" ? "overtaken by another machine" : outcome}: ${cause ?? ""}`,
  ];
  return [...lines, ...(next === null ? [] : [`next: ${next}`])].join("\n");
}
