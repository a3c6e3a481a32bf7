import { Type } from "typebox";
import type { Static } from "typebox";

import { singleLineText } from "./single-line-text.ts";

// 254: the longest address that SMTP can carry (RFC 5321, section 4.5.3.1).
const emailLengthLimit = 254;

export const CustomerInput = Type.Object(
  {
    name: singleLineText(200),
    email: Type.String({ maxLength: emailLengthLimit, pattern: String.raw`^[^\s@\p{Cc}\p{Cs}]+@[^\s@\p{Cc}\p{Cs}]+$` }),
  },
  { additionalProperties: false },
);
export type CustomerInput = Static<typeof CustomerInput>;
