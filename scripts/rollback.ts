import { Refused } from "../app/cli/command-line.ts";
import type { Transcript } from "../app/cli/transcript.ts";
import { runVerb } from "./cli/run-verb.ts";
import { rollbackCommand, type RollbackOptions } from "./deploy/arguments.ts";
import { bringRelease } from "./deploy/bring-release.ts";
import { type DesiredRelease, fetchDesiredRelease } from "./deploy/desired-release.ts";
import { listReleases } from "./deploy/list-releases.ts";
import { findDeployPlace } from "./deploy/place.ts";
import { fetchStandingWish, type StandingWish } from "./deploy/wish.ts";
import type { CloudStore } from "./store/open-client.ts";

await runVerb(rollbackCommand, process.argv.slice(2), rollBack);

async function rollBack({ stack, release, limitMs }: RollbackOptions, transcript: Transcript): Promise<void> {
  const place = await findDeployPlace({ stack, platform: undefined }, process.env);
  using store = await place.open();
  const sha256 = release === undefined ? await findPrevious(store) : await findNamed(store, release);
  await bringRelease(store, { sha256, limitMs }, transcript);
  if (place.url !== undefined) transcript.line(place.url);
}

async function findPrevious(store: CloudStore): Promise<string> {
  const desired = await fetchDesiredRelease(store);
  const previous = findGap(await fetchStandingWish(store), desired) ?? desired?.previous ?? null;
  if (previous === null)
    throw new Refused("there was no release before this one. To see what there is: npm run releases");
  return demandStored(store, previous);
}

/**
 * What ran before a release that serves although nobody has told so to new machines. Null without such a gap. A rollback
 * that was cut off leaves one too: said again it ends what it began.
 */
function findGap(standing: StandingWish | undefined, desired: DesiredRelease | undefined): string | null {
  const report = standing?.report;
  if (report?.outcome !== "serving") return null;
  return [desired?.sha256, desired?.previous].includes(report.sha256) ? null : report.previous;
}

async function findNamed(store: CloudStore, beginning: string): Promise<string> {
  const found = (await listReleases(store)).filter(({ sha256 }) => sha256.startsWith(beginning));
  const [release, ...others] = found;
  if (release === undefined)
    throw new Refused(`the bucket has no release ${beginning}. To see what there is: npm run releases`);
  if (others.length > 0)
    throw new Refused(
      `${found.length} releases begin with ${beginning}: name more digits, as npm run releases shows them`,
    );
  return release.sha256;
}

async function demandStored(store: CloudStore, sha256: string): Promise<string> {
  const isThere = (await listReleases(store)).some((release) => release.sha256 === sha256);
  if (isThere) return sha256;
  throw new Refused(
    `the release before, ${sha256.slice(0, 12)}, is no longer in the bucket. To see what there is: npm run releases`,
  );
}
