import { setTimeout as sleep } from "node:timers/promises";

import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Type } from "typebox";
import { Value } from "typebox/value";
import { parse } from "yaml";

import { type DeployReport, deployReportKey, draftReport } from "../../../app/deploys/deploy-report.ts";
import { nameSealed, settingsObject, unseal } from "../../../app/deploys/sealed-settings.ts";
import { type WantedRelease, wantedReleaseKey, WantedReleaseSchema } from "../../../app/deploys/wanted-release.ts";
import { settingsKeyFile } from "../../../cloud-init/machine-files.ts";
import type { Account } from "../aws/account.ts";
import type { Cloud, Server } from "../hcloud/cloud.ts";
import { type Login, logIn, putAs, readSettings, readSettingsKey } from "./bring-up.ts";

type Watching = Readonly<{
  cloud: Cloud;
  account: Account;
  /** The settings that a machine has now, as lines. */
  settingsOf(server: Server): string;
  /** Throws what the machine would say. */
  bringUp(server: Server, wish: { script: string; settings: string }): Promise<void>;
  stop(server: Server): void;
}>;

const lookEveryMs = 200;
const UserDataSchema = Type.Object({
  write_files: Type.Array(Type.Object({ path: Type.String(), content: Type.String() })),
});

/**
 * Plays lifeboat-deploys.service for wishes that are meant for one machine, with the machine's own key, from its
 * address. Deploys of a release alone are played by the tests.
 */
export function watchWishes(watching: Watching): AsyncDisposable {
  const handled = new Map<number, string>();
  const ending = new AbortController();
  const look = async (): Promise<void> => {
    for (const server of watching.cloud.servers.values()) {
      // A machine without its volume has not begun to watch.
      if (server.status !== "running" || server.volumes.length === 0) continue;
      const wish = await readWish(watching, server);
      if (wish === null || !("machine" in wish) || wish.machine !== String(server.id)) continue;
      if (handled.get(server.id) === wish.deploy) continue;
      handled.set(server.id, wish.deploy);
      await carryOut(watching, server, wish);
    }
  };
  const done = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await sleep(lookEveryMs);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await done;
    },
  };
}

type Bound = Extract<WantedRelease, { machine: string }>;

async function carryOut(watching: Watching, server: Server, wish: Bound): Promise<void> {
  const draft = draftReport(wish, String(server.id), null);
  const report: DeployReport = {
    ...draft,
    outcome: wish.way === "stop" ? "stopped" : "serving",
    endedAt: draft.seenAt,
  };
  try {
    if (wish.way === "stop") watching.stop(server);
    else {
      const settings = await openSealed(watching, server, wish.settings);
      await watching.bringUp(server, { script: `set -- ${wish.sha256} ${wish.volumeGb}\n`, settings });
    }
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    await putReport(watching, server, { ...report, outcome: "rolled-back", cause, next: "look at the machine" });
    return;
  }
  await putReport(watching, server, report);
}

/** With the key that it was given last, or that of its birth. */
async function openSealed(watching: Watching, server: Server, name: string): Promise<string> {
  const { client, bucket } = logIn(loginOf(watching, server));
  const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: settingsObject(name) }));
  const sealed = (await found.Body?.transformToString()) ?? "";
  if (nameSealed(sealed) !== name) throw new Error(`${settingsObject(name)} has another SHA-256`);
  const { write_files: files } = Value.Parse(UserDataSchema, parse(server.user_data));
  const birth = files.find(({ path }) => path === settingsKeyFile)?.content.trim() ?? "";
  return unseal(sealed, readSettingsKey(watching.settingsOf(server)) ?? birth);
}

async function readWish(watching: Watching, server: Server): Promise<WantedRelease | null> {
  const { client, bucket } = logIn(loginOf(watching, server));
  // Without a bucket, a key that works, or a wish there is nothing to do yet.
  const found = await client
    .send(new GetObjectCommand({ Bucket: bucket, Key: wantedReleaseKey }))
    .catch(() => undefined);
  const text = await found?.Body?.transformToString();
  return text === undefined ? null : Value.Parse(WantedReleaseSchema, JSON.parse(text));
}

async function putReport(watching: Watching, server: Server, report: DeployReport): Promise<void> {
  await putAs(loginOf(watching, server), deployReportKey(report.deploy), JSON.stringify(report));
}

/** With the settings that it has now. */
function loginOf({ account, settingsOf }: Watching, server: Server): Login {
  const settings = { ...readSettings(server.user_data), ...readSettings(settingsOf(server)) };
  return { account, server, settings };
}
