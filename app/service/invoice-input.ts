import { Type } from "typebox";
import type { Static } from "typebox";

import { singleLineText } from "./single-line-text.ts";

const linesLimit = 500;

export const InvoiceLine = Type.Object(
  {
    description: singleLineText(500),
    quantity: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    unitCents: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  { additionalProperties: false },
);
export type InvoiceLine = Static<typeof InvoiceLine>;

export const InvoiceInput = Type.Object(
  {
    customerId: singleLineText(100),
    reference: singleLineText(100),
    currency: Type.String({ pattern: "^[A-Z]{3}$" }),
    lines: Type.Array(InvoiceLine, { minItems: 1, maxItems: linesLimit }),
  },
  { additionalProperties: false },
);
export type InvoiceInput = Static<typeof InvoiceInput>;
