import fs from "node:fs";

const pollMs = 200;
// A breaker holds its right for microseconds; one this old belongs to a process that died with it.
const breakerLimitMs = 10000;

/**
 * Runs `work` while this process alone holds the lock file, waiting for a living holder and taking over from a dead one.
 * Throws when the wait passes the limit.
 * @template Result
 * @param {{ lockPath: string, waitLimitMs: number, onWait: (holder: string) => void }} options
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withLock(options, work) {
  await acquire(options);
  const release = () => removeIfOurs(options.lockPath);
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

/**
 * Removes a dead holder's lock. Only one process at a time may do so and it looks again first: otherwise
 * the second of two breakers would remove the lock that the first has just taken.
 * @param {string} lockPath
 */
export function breakDeadLock(lockPath) {
  const breaker = `${lockPath}.breaking`;
  if (!createWhole(breaker, describeProcess(process.pid))) {
    if (ageMs(breaker) > breakerLimitMs) removeIfThere(breaker);
    return;
  }
  try {
    const holder = readIfThere(lockPath);
    if (holder !== undefined && isDead(holder)) removeIfThere(lockPath);
  } finally {
    removeIfThere(breaker);
  }
}

/** @param {{ lockPath: string, waitLimitMs: number, onWait: (holder: string) => void }} options */
async function acquire({ lockPath, waitLimitMs, onWait }) {
  const startedAt = Date.now();
  for (let waits = 0; !createWhole(lockPath, describeProcess(process.pid)); waits += 1) {
    const holder = readIfThere(lockPath);
    if (holder !== undefined && isDead(holder)) {
      breakDeadLock(lockPath);
      continue;
    }
    if (Date.now() - startedAt > waitLimitMs) {
      throw new Error(
        `waited ${Math.round(waitLimitMs / 1000)} s for another set-up (process ${pidOf(holder)}); end it, or remove ${lockPath} if it is gone`,
      );
    }
    if (waits === 1) onWait(pidOf(holder));
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/**
 * Creates the file with its content in one step, so that nobody ever reads half of it. False if it is there already.
 * @param {string} file
 * @param {string} content
 */
function createWhole(file, content) {
  const whole = `${file}.${process.pid}`;
  removeIfThere(whole);
  // "wx" follows no symbolic link that somebody else left in the temporary folder.
  fs.writeFileSync(whole, content, { mode: 0o600, flag: "wx" });
  try {
    fs.linkSync(whole, file);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    fs.unlinkSync(whole);
  }
}

/** @param {string} lockPath */
function removeIfOurs(lockPath) {
  if (readIfThere(lockPath) === describeProcess(process.pid)) removeIfThere(lockPath);
}

/**
 * Process id and, where /proc tells it, the start time: ids are used again, above all in containers.
 * @param {number} pid
 */
function describeProcess(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // proc(5): the start time is field 22; fields are counted after the name, which may hold spaces.
  return `${pid} ${stat === undefined ? "" : stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
}

/** @param {string} holder */
function isDead(holder) {
  const pid = Number(pidOf(holder));
  if (!Number.isInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return true;
  }
  return describeProcess(pid) !== holder;
}

/** @param {string | undefined} holder */
function pidOf(holder) {
  return (holder || "unknown").split(" ")[0] || "unknown";
}

/** @param {string} file */
function readIfThere(file) {
  return ifThere(() => fs.readFileSync(file, "utf8"));
}

/** @param {string} file */
function removeIfThere(file) {
  ifThere(() => fs.unlinkSync(file));
}

/** @param {string} file */
function ageMs(file) {
  const stat = ifThere(() => fs.statSync(file));
  return stat === undefined ? 0 : Date.now() - stat.mtimeMs;
}

/**
 * @template Result
 * @param {() => Result} read
 */
function ifThere(read) {
  try {
    return read();
  } catch (error) {
    // ESRCH: the process of a /proc file ended while it was read.
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return undefined;
    throw error;
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
