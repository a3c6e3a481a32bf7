import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { renderEdgeFile } from "../../cloud-init/edge-file.ts";
import {
  plainValue,
  renderEnvironmentLines,
  renderTokensFile,
  settingsKeyRule,
  tokensEntry,
  tokensFile,
} from "../../cloud-init/machine-files.ts";

const plain = Type.String({ pattern: plainValue.source });
const MachineSettingsSchema = Type.Object({
  accessKeyId: plain,
  secretAccessKey: plain,
  apiTokensSha256: Type.Array(Type.String({ pattern: tokensEntry.source }), { minItems: 1 }),
  heartbeatUrl: Type.Optional(plain),
  replicationIntervalMs: Type.Integer({ minimum: 100 }),
  syncsPerMonth: Type.Integer({ minimum: 1 }),
  retentionHours: Type.Integer({ minimum: 1 }),
  edge: Type.Object({
    domain: plain,
    www: Type.Boolean(),
    ipv4: plain,
    ipv6: Type.Optional(plain),
    acmeDirectory: Type.Optional(plain),
    key: Type.Object({ accessKeyId: plain, secretAccessKey: plain }),
  }),
  settingsKey: Type.String({ pattern: settingsKeyRule.source }),
});

/** The settings that a running machine can change, and the key that they are sealed with. */
export type MachineSettings = Static<typeof MachineSettingsSchema>;

/** Reads the settings from JSON. The error quotes none of them, because they contain the bucket's key. */
export function readMachineSettings(json: string): MachineSettings {
  const parsed = parseQuietly(json);
  if (Value.Check(MachineSettingsSchema, parsed)) return parsed;
  throw new Error(
    "stdin must hold the machine's settings as JSON, without blanks, quotes or backslashes: this script is run by pulumi up",
  );
}

// The error of JSON.parse quotes its input, which contains the key.
function parseQuietly(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * Renders the settings as scripts/remote/bring-up.sh reads them: the environment file, "# tokens", the file of tokens,
 * "# edge", the file of the edge, "# settings-key", the file of the key, "# complete".
 */
export function renderSettings(settings: MachineSettings): string {
  const lines = renderEnvironmentLines({
    LIFEBOAT_API_TOKENS_FILE: tokensFile,
    LIFEBOAT_HEARTBEAT_URL: settings.heartbeatUrl ?? "",
    LIFEBOAT_REPLICATION_INTERVAL_MS: String(settings.replicationIntervalMs),
    LIFEBOAT_SYNCS_PER_MONTH: String(settings.syncsPerMonth),
    LIFEBOAT_RETENTION_HOURS: String(settings.retentionHours),
    LITESTREAM_ACCESS_KEY_ID: settings.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: settings.secretAccessKey,
  });
  const tokens = renderTokensFile(settings.apiTokensSha256);
  const edge = renderEdgeFile(settings.edge);
  // By the last line the machine sees that nothing was cut off.
  return `${lines}# tokens\n${tokens}# edge\n${edge}# settings-key\n${settings.settingsKey}\n# complete`;
}
