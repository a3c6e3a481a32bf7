/** One write of the load: when it was sent, how long it took, how much of the WAL was in use, and how it ended. */
export type Write = { sentMs: number; tookMs: number; walBytes: number; outcome: string };
type Moments = { heldMs: number; reachedMs: number | null; releasedMs: number; acceptedMs: number };
export type LongReaderRun = {
  name: string;
  writes: readonly Write[];
  moments: Moments;
  walAfter: { usedBytes: number; fileBytes: number };
};

/** Litestream 0.5.17's own threshold: about 500 MB. */
export const litestreamDefaultPages = 121_359;
const mebibyte = 1024 * 1024;
const litestreamThresholdBytes = litestreamDefaultPages * (4096 + 24);

/** The results of one run, one line for each figure. */
export function renderLongReader({ name, writes, moments, walAfter }: LongReaderRun): string {
  const { heldMs, reachedMs, releasedMs, acceptedMs } = moments;
  const stopMs = reachedMs ?? releasedMs;
  const thresholdMs = writes.find(({ walBytes }) => walBytes >= litestreamThresholdBytes)?.sentMs ?? stopMs;
  const held = writes.filter(({ sentMs }) => sentMs >= heldMs && sentMs < releasedMs);
  const low = held.filter(({ sentMs, tookMs }) => sentMs + tookMs < thresholdMs);
  const high = held.filter(({ sentMs, tookMs }) => sentMs + tookMs >= thresholdMs && sentMs < stopMs);
  const past = held.filter(({ sentMs }) => sentMs >= stopMs);
  const after = writes.filter(({ sentMs, tookMs }) => sentMs + tookMs >= releasedMs);
  const rows = [
    ["reader held", `${seconds(releasedMs - heldMs)}, ${reachedMs === null ? "never past its mark" : "past its mark"}`],
    ["below 500 MB of WAL", describe(low, thresholdMs - heldMs)],
    ["from 500 MB on", describe(high, stopMs - thresholdMs)],
    ["past the mark", describe(past, releasedMs - stopMs)],
    ["first write after its end", seconds(acceptedMs - releasedMs)],
    ["after its end", describe(after, Math.max(...after.map(({ sentMs }) => sentMs)) - releasedMs)],
    ["WAL at the end", `${inMebibytes(walAfter.usedBytes)} in use, file of ${inMebibytes(walAfter.fileBytes)}`],
  ];
  return [`\n${name}`, ...rows.map(([label = "", text = ""]) => `  ${label.padEnd(28)}${text}`)].join("\n");
}

/** Acknowledged writes a second, the duration of the slowest whatever its outcome, and the number refused. */
function describe(writes: readonly Write[], spanMs: number): string {
  if (writes.length === 0 || spanMs <= 0) return "no writes";
  const acknowledged = writes.filter(({ outcome }) => outcome === "acknowledged").length;
  const reasons = Object.entries(Object.groupBy(writes, ({ outcome }) => outcome))
    .filter(([outcome]) => outcome !== "acknowledged")
    .map(([outcome, refused]) => `, ${refused?.length ?? 0} ${outcome}`);
  const worst = Math.round(Math.max(...writes.map(({ tookMs }) => tookMs)));
  return `${((1000 * acknowledged) / spanMs).toFixed(1)} writes/s, slowest ${worst} ms${reasons.join("")}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / mebibyte)} MiB`;
}
