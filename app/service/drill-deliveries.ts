import { Type } from "typebox";
import { Value } from "typebox/value";

import type { DrillDeliveries } from "../drill-subject.ts";
import { paymentContent } from "./drill-content.ts";

const Notice = Type.Object({ type: Type.Literal("invoice.paid"), data: Type.Object({ reference: Type.String() }) });

/** The drill subscribes to payments as a webhook does. */
export const deliveries: DrillDeliveries = {
  kinds: ["payment"],
  subscribe: (url) => ({ path: "/webhooks", body: { url } }),
  readDelivery: ({ headers, body }) => {
    const { data } = Value.Parse(Notice, JSON.parse(body));
    return { ...paymentContent(data.reference), id: String(headers["webhook-id"]) };
  },
};
