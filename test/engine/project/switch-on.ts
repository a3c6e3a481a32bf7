import { GetObjectTaggingCommand, PutObjectTaggingCommand } from "@aws-sdk/client-s3";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { onlyServer, productionBucket as Bucket, type Scenario, takeHetznerCalls } from "./open-scenario.ts";

/** Does what people do in the providers' consoles, beside the program. Returns a look at whether AWS still has it. */
export async function switchOn(scenario: Scenario): Promise<() => Promise<boolean>> {
  const { account } = scenario;
  await actAtHetzner(scenario, `servers/${onlyServer(scenario).id}/actions/enable_backup`);
  await protect(scenario, true);
  const user = /"(access-machine-fsn1-\w+)"/.exec(JSON.stringify(await scenario.stack.exportStack()))?.[1] ?? "";
  const key = /"(?:id)":"(\w+)"[^{}]*"type":"aws:iam\/accessKey:AccessKey"/;
  const accessKeyId = key.exec(JSON.stringify(await scenario.stack.exportStack()))?.[1] ?? "";
  const added = new Map([
    [`permissionsBoundary ${user}`, "arn:aws:iam::123456789012:policy/everybody"],
    [`tags ${user}`, JSON.stringify({ costCentre: "4711" })],
    [`status ${accessKeyId}`, "Inactive"],
  ]);
  for (const [setting, value] of added) account.settings.set(setting, value);
  const Key = "recovery-card.txt";
  const Tagging = { TagSet: [{ Key: "scanned", Value: "NO_THREATS_FOUND" }] };
  await account.s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging }));
  return async () => {
    const { TagSet = [] } = await account.s3.send(new GetObjectTaggingCommand({ Bucket, Key }));
    return TagSet.length === 1 && [...added].every(([setting, value]) => account.settings.get(setting) === value);
  };
}

/** Protects server and addresses from deletion, or lifts that. */
export async function protect(scenario: Scenario, isProtected: boolean): Promise<void> {
  const { id, public_net } = onlyServer(scenario);
  const change = { delete: isProtected, rebuild: isProtected };
  await actAtHetzner(scenario, `servers/${id}/actions/change_protection`, change);
  await actAtHetzner(scenario, `primary_ips/${public_net.ipv4?.id}/actions/change_protection`, { delete: isProtected });
  takeHetznerCalls(scenario);
}

/** Asks again while another action still runs. */
async function actAtHetzner({ hetzner }: Scenario, path: string, body: object = {}): Promise<void> {
  const headers = { authorization: `Bearer ${hetzner.token}` };
  const act = async () => {
    const answer = await fetch(`${hetzner.endpoint}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return answer.ok ? true : null;
  };
  await waitFor(`POST ${path}`, act, { timeoutMs: 5_000 });
}
