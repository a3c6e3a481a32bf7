const mebibyte = 1024 * 1024;

/** How many writes may wait, from which size of the WAL to warn, and from which to refuse writes. */
export const writerLimits = { queueLimit: 2_000, walAlarmBytes: 128 * mebibyte, walLimitBytes: 512 * mebibyte };
