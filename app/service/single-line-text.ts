import { Type } from "typebox";

/**
 * Text of one line, 1 to `maxLength` code points. Control characters are refused (PostgreSQL cannot store NUL) and so
 * are lone surrogates, which SQLite would silently store as another character than the one acknowledged.
 */
export function singleLineText(maxLength: number) {
  return Type.String({ minLength: 1, maxLength, pattern: String.raw`^[^\p{Cc}\p{Cs}]+$` });
}
