import { createWriteStream } from "node:fs";
import { basename, join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { runCommand } from "./run-command.ts";

export type ReleaseLimits = { readonly answerMs: number; readonly downloadMs: number };

/** A slow line of 2 Mbit/s brings 15 MB in a minute. */
export const releaseLimits: ReleaseLimits = { answerMs: 15_000, downloadMs: 180_000 };

const archiveLimitBytes = 100 * 1024 * 1024;
const unpackLimitMs = 60_000;

/**
 * Downloads a release archive (.tar.gz) into `folder`, unpacks only the file `name` and returns its path. The caller
 * checks its hash. Throws when the server is not reached or does not answer in time, or when the archive does not hold
 * the file.
 */
export async function fetchRelease(options: {
  url: string;
  name: string;
  folder: string;
  limits: ReleaseLimits;
}): Promise<string> {
  const archive = join(options.folder, "release.tar.gz");
  await download(options.url, archive, options.limits);
  const entries = (await runCommand("tar", ["-tzf", archive], { timeoutMs: unpackLimitMs })).split("\n");
  const entry = entries.find((line) => basename(line) === options.name && !line.endsWith("/"));
  if (entry === undefined) throw new Error(`${options.url} holds no file "${options.name}"`);
  const file = join(options.folder, options.name);
  // To stdout: an archive that nobody has verified yet decides neither names nor links on this disk.
  await runCommand("tar", ["-xzOf", archive, entry], { timeoutMs: unpackLimitMs, stdoutFile: file });
  return file;
}

async function download(url: string, file: string, limits: ReleaseLimits): Promise<void> {
  const answer = new AbortController();
  const answerTimer = setTimeout(() => answer.abort(new Error(`no answer in ${limits.answerMs} ms`)), limits.answerMs);
  const whole = AbortSignal.timeout(limits.downloadMs);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([answer.signal, whole]) });
    clearTimeout(answerTimer);
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), limitBytes(), createWriteStream(file), {
      signal: whole,
    });
  } catch (error) {
    throw new Error(`GET ${url}: ${describe(error)}`, { cause: error });
  } finally {
    clearTimeout(answerTimer);
  }
}

function limitBytes(): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > archiveLimitBytes) done(new Error(`more than ${archiveLimitBytes} bytes`));
      else done(null, chunk);
    },
  });
}

/** fetch says only "fetch failed" and keeps the reason in the cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
