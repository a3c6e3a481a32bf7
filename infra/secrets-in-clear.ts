import { Type } from "typebox";
import { Value } from "typebox/value";
import { parseDocument } from "yaml";

const UserDataSchema = Type.Object({
  write_files: Type.Optional(
    Type.Array(
      Type.Object({
        path: Type.String(),
        content: Type.Optional(Type.String()),
        permissions: Type.Optional(Type.String()),
        encoding: Type.Optional(Type.String()),
      }),
    ),
  ),
});

const secretPatterns: readonly (readonly [string, RegExp])[] = [
  ["a private key", /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ["a secret key or token", /(secret|token|password|passwd)[a-z_]*["']?\s*[=:]\s*["']?(?![$<{])[A-Za-z0-9/+_-]{16,}/i],
];

/**
 * Names what looks like a secret outside of root-only files. A cloud-config is understood file by file;
 * anything else is searched as one text, in which no place is safe.
 */
export function findSecretsInClear(userData: string): string[] {
  const texts = readableTexts(userData);
  return secretPatterns.flatMap(([what, pattern]) =>
    texts.filter(({ text }) => pattern.test(text)).map(({ place }) => `${what} in ${place}`),
  );
}

function readableTexts(userData: string): { place: string; text: string }[] {
  const config = parseCloudConfig(userData);
  if (config === undefined) return [{ place: "its text", text: userData }];
  const { write_files: files = [], ...rest } = config;
  const open = files.filter(({ permissions }) => !/^'?0?[0-7]00'?$/.test(permissions ?? "0644"));
  return [
    { place: "its settings", text: JSON.stringify(rest) },
    ...open.map(({ path, content = "", encoding = "" }) => ({
      place: path,
      text: /b64|base64/.test(encoding) ? decode(content) : content,
    })),
  ];
}

function parseCloudConfig(userData: string) {
  if (userData.split("\n", 1)[0]?.trim() !== "#cloud-config") return undefined;
  const document = parseDocument(userData);
  if (document.errors.length > 0) return undefined;
  const parsed: unknown = document.toJS();
  return Value.Check(UserDataSchema, parsed) ? parsed : undefined;
}

function decode(content: string): string {
  return Buffer.from(content, "base64").toString("utf8");
}
