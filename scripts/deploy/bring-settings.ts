import { silenceLimitMs } from "../../app/deploys/deploy-report.ts";
import { nameSealed, seal, settingsObject } from "../../app/deploys/sealed-settings.ts";
import { type MachineSettings, renderSettings } from "../remote/machine-settings.ts";
import type { CloudStore } from "../store/open-client.ts";
import { putObject } from "../store/store-object.ts";
import { deployFirst, describeEnd, listComplaints } from "./bring-release.ts";
import { waitForReport } from "./wait-for-report.ts";
import { claimPatiently, describeUp, withdrawWish } from "./wish.ts";

type Upgrade = {
  sha256: string;
  server: string;
  settings: MachineSettings;
  volumeGb: number;
  tell: (words: string) => void;
  silenceMs?: number;
};

/**
 * Brings a release and settings to a machine by the bucket: it puts them there, sealed for the machine, wishes for them
 * and waits for the machine's report. Throws with what the machine reported otherwise. When nothing is heard of it
 * the wish is taken back: nothing that Pulumi takes for undone may be done later. Returns the id of its wish.
 */
export async function bringSettings(store: CloudStore, upgrade: Upgrade): Promise<string> {
  const { sha256, server, settings, volumeGb, tell, silenceMs = silenceLimitMs } = upgrade;
  const name = await putSealed(store, seal(renderSettings(settings), settings.settingsKey));
  const by = describeUp(process.env);
  const claim = { way: "settings", sha256, machine: server, settings: name, volumeGb, by } as const;
  const wish = await claimPatiently(store, claim, tell);
  let told = "";
  const onNews = (words: string) => {
    if (words !== told) tell(words);
    told = words;
  };
  const answer = await waitForReport(store, { deploy: wish.deploy, silenceMs, onNews });
  if (answer.kind === "reported" && answer.report.outcome === "serving") {
    for (const words of listComplaints(answer.report)) tell(words);
    return wish.deploy;
  }
  if (answer.kind !== "silence") throw new Error(`${describeEnd(answer)}\n${again}`);
  const isUndone = await withdrawWish(store, wish);
  const unheard = `nothing was heard of machine ${server} for ${silenceMs / 60_000} minutes`;
  throw new Error(
    isUndone
      ? `${unheard}: is it down, or is its release older than this way by the bucket? Nothing was changed on it, and the wish was taken back. ${deployFirst}. Then ${again}`
      : `${unheard}: it has begun and then fallen silent\n${again}`,
  );
}

const again =
  "run up again with the same configuration, before you take anything back; a machine that hears nothing: npm run up -- --rebuild";

async function putSealed(store: CloudStore, sealed: string): Promise<string> {
  const name = nameSealed(sealed);
  await putObject(store, settingsObject(name), { body: sealed, contentType: "text/plain" });
  return name;
}
