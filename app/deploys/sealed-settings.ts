import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const cipher = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;
// Authenticated with the content, so that nothing else that the key may once seal is taken for settings.
const purpose = Buffer.from("lifeboat settings 1");

/** The key of sealed settings, which are named by their SHA-256. */
export function settingsObject(sha256: string): string {
  return `remote-settings/${sha256}`;
}

/** The name of sealed settings. */
export function nameSealed(sealed: string): string {
  return createHash("sha256").update(sealed).digest("hex");
}

/**
 * Seals a text with AES-256-GCM for whoever has the key, 64 hex digits. In the bucket nobody else can read it, and who
 * changes it is noticed. Each call gives another result.
 */
export function seal(text: string, key: string): string {
  const iv = randomBytes(ivBytes);
  const sealing = createCipheriv(cipher, Buffer.from(key, "hex"), iv, { authTagLength: tagBytes }).setAAD(purpose);
  const content = Buffer.concat([sealing.update(text, "utf8"), sealing.final()]);
  return Buffer.concat([iv, sealing.getAuthTag(), content]).toString("base64");
}

/** Opens what was sealed. Throws when it was sealed with another key, or changed. */
export function unseal(sealed: string, key: string): string {
  const bytes = Buffer.from(sealed, "base64");
  const [iv, tag, content] = [
    bytes.subarray(0, ivBytes),
    bytes.subarray(ivBytes, ivBytes + tagBytes),
    bytes.subarray(ivBytes + tagBytes),
  ];
  const opening = createDecipheriv(cipher, Buffer.from(key, "hex"), iv, { authTagLength: tagBytes });
  opening.setAAD(purpose).setAuthTag(tag);
  return Buffer.concat([opening.update(content), opening.final()]).toString("utf8");
}
