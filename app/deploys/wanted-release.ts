import { type Static, Type } from "typebox";

/** Where whoever deploys says which release the machine shall run. There is one wish, and each replaces the one before. */
export const wantedReleaseKey = "wanted-release.json";

/** Part of a key in the bucket and of a file name. */
const deployId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export const WantedReleaseSchema = Type.Object({
  format: Type.Literal(1),
  deploy: Type.String({ pattern: deployId.source }),
  /** Not checked here: what is no SHA-256 gets a report that refuses it. */
  sha256: Type.String(),
  at: Type.String(),
  by: Type.String(),
  /** With "ssh" the machine leaves it alone: `pulumi up` brings the release itself, and reports. */
  way: Type.Union([Type.Literal("bucket"), Type.Literal("ssh")]),
});

/** A wish that was written. Its order among all wishes is the order of the writes, which are conditional. */
export type WantedRelease = Static<typeof WantedReleaseSchema>;

export const releaseHash = /^[0-9a-f]{64}$/;
