/** The settings that decide how often Litestream 0.5.17 and the fence call the bucket. */
export type ReplicationSettings = {
  replicationIntervalMs: number;
  /** Intervals of the levels 1, 2 and 3. */
  levelSeconds: readonly [number, number, number];
  retentionHours: number;
  l0RetentionSeconds: number;
  l0CheckSeconds: number;
  /** Lists the whole level after every compaction into it. */
  verifyCompaction: boolean;
  headPollMs: number;
  /** How often the machine asks which release it shall run. */
  wishPollMs: number;
  /** How often the machine lists its whole epoch, to judge it. */
  listingSeconds: number;
};

/** The settings that the app gives to Litestream. A test compares them with the app's own. */
export function litestreamSettings({ replicationIntervalMs, retentionHours }: StackSettings): ReplicationSettings {
  return {
    replicationIntervalMs,
    retentionHours,
    levelSeconds: [Math.min(60, Math.max(30, (6 * replicationIntervalMs) / 1000)), 600, 3600],
    l0RetentionSeconds: 300,
    l0CheckSeconds: 300,
    verifyCompaction: false,
    headPollMs: 1500,
    wishPollMs: 3000,
    listingSeconds: 300,
  };
}

type StackSettings = Pick<ReplicationSettings, "replicationIntervalMs" | "retentionHours">;

export type RequestCounts = { put: number; list: number; get: number };

const monthSeconds = 30 * 86_400;
/** S3 answers at most this many keys to one LIST. */
const pageKeys = 1000;

/**
 * Counts the requests of a month of uninterrupted writes. Source of the rules: compactor.go, store.go and db.go of
 * Litestream 0.5.17. A listing always starts at the beginning of its level, so its cost grows with the retention.
 */
export function countRequests(settings: ReplicationSettings): RequestCounts {
  const intervalSeconds = settings.replicationIntervalMs / 1000;
  const [one, two, three] = settings.levelSeconds;
  const snapshotSeconds = snapshotHours(settings) * 3600;
  const keptSeconds = settings.retentionHours * 3600 + snapshotSeconds;
  // After its retention a file waits half a check interval on average.
  const level0Pages = pages((settings.l0RetentionSeconds + settings.l0CheckSeconds / 2) / intervalSeconds);
  // The average between two snapshots, at which old files are deleted.
  const levelPages = (seconds: number) =>
    pages((keptSeconds - snapshotSeconds / 2) / Math.max(seconds, intervalSeconds));
  const verified = (seconds: number) => (settings.verifyCompaction ? levelPages(seconds) : 0);

  const compactions = [
    { times: monthSeconds / Math.max(one, intervalSeconds), lists: level0Pages + verified(one) },
    { times: monthSeconds / two, lists: levelPages(one) + verified(two) },
    { times: monthSeconds / three, lists: levelPages(two) + verified(three) },
  ];
  const keysOf = (seconds: number) => (keptSeconds - snapshotSeconds / 2) / Math.max(seconds, intervalSeconds);
  const level0Keys = (settings.l0RetentionSeconds + settings.l0CheckSeconds / 2) / intervalSeconds;
  const judged = {
    times: monthSeconds / settings.listingSeconds,
    lists: pages(level0Keys + keysOf(one) + keysOf(two) + keysOf(three)),
  };
  const checks = { times: monthSeconds / settings.l0CheckSeconds, lists: level0Pages + levelPages(one) };
  return {
    put: Math.round(
      monthSeconds / intervalSeconds + sum(compactions.map(({ times }) => times)) + monthSeconds / snapshotSeconds,
    ),
    list: Math.round(sum([...compactions, checks, judged].map(({ times, lists }) => times * lists))),
    // Level 0 is compacted from the local disk. The higher levels are read from the bucket once.
    get: Math.round(
      monthSeconds / (settings.headPollMs / 1000) +
        monthSeconds / (settings.wishPollMs / 1000) +
        monthSeconds / one +
        monthSeconds / two,
    ),
  };
}

/** The time between two snapshots: one a day, or one for each shorter retention. */
export function snapshotHours({ retentionHours }: Pick<ReplicationSettings, "retentionHours">): number {
  return Math.min(24, retentionHours);
}

function pages(keys: number): number {
  return Math.max(1, Math.ceil(keys / pageKeys));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((left, right) => left + right, 0);
}
