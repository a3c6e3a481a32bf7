import { type Static, Type } from "typebox";

/** Where whoever deploys says what the machine shall run. There is one wish, and each replaces the one before. */
export const wantedReleaseKey = "wanted-release.json";

/** Part of a key in the bucket and of a file name. */
const deployId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const common = {
  format: Type.Literal(1),
  deploy: Type.String({ pattern: deployId.source }),
  at: Type.String(),
  by: Type.String(),
};
// Not checked here: what is no SHA-256 gets a report that refuses it.
const sha256 = Type.String();
// What is meant for one machine is nothing for the next one: its user-data may be newer.
const machine = Type.String();

export const WantedReleaseSchema = Type.Union([
  /** With "ssh" the machine leaves it alone: `pulumi up` brings the release itself, and reports. */
  Type.Object({ ...common, way: Type.Union([Type.Literal("bucket"), Type.Literal("ssh")]), sha256 }),
  /** `pulumi up` without SSH: the release, and settings that lie sealed in the bucket. */
  Type.Object({
    ...common,
    way: Type.Literal("settings"),
    sha256,
    machine,
    settings: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    volumeGb: Type.Integer({ minimum: 0 }),
  }),
  /** `down` without SSH: the services stop, with the final sync. */
  Type.Object({ ...common, way: Type.Literal("stop"), machine }),
]);

/** A wish that was written. Its order among all wishes is the order of the writes, which are conditional. */
export type WantedRelease = Static<typeof WantedReleaseSchema>;

/** The release that a wish brings. Null for one that brings none. */
export function releaseOf(wish: WantedRelease): string | null {
  return wish.way === "stop" ? null : wish.sha256;
}

export const releaseHash = /^[0-9a-f]{64}$/;
