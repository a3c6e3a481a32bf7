import type { Transcript } from "../app/cli/transcript.ts";
import { runVerb } from "./cli/run-verb.ts";
import { type PlaceOptions, releasesCommand } from "./deploy/arguments.ts";
import { fetchDesiredRelease } from "./deploy/desired-release.ts";
import { describeStanding, listReleases, renderReleases } from "./deploy/list-releases.ts";
import { findDeployPlace } from "./deploy/place.ts";
import { fetchStandingWish } from "./deploy/wish.ts";

await runVerb(releasesCommand, process.argv.slice(2), showReleases);

async function showReleases({ stack }: PlaceOptions, transcript: Transcript): Promise<void> {
  const place = await findDeployPlace({ stack, platform: undefined }, process.env);
  using store = await place.open();
  const releases = await listReleases(store);
  const facts = { desired: await fetchDesiredRelease(store), standing: await fetchStandingWish(store) };
  transcript.line(renderReleases(releases, facts));
  transcript.line(describeStanding(facts));
}
