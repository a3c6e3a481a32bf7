import { Type } from "typebox";

// What is read of the answers of Hetzner's API.

export const ServerSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  status: Type.String(),
  protection: Type.Object({ delete: Type.Boolean() }),
  public_net: Type.Object({ ipv4: Type.Union([Type.Null(), Type.Object({ ip: Type.String() })]) }),
});
export const VolumeSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  size: Type.Integer(),
  location: Type.Object({ name: Type.String() }),
  server: Type.Union([Type.Null(), Type.Integer()]),
});
export const AddressSchema = Type.Object({
  id: Type.Integer(),
  ip: Type.String(),
  type: Type.Union([Type.Literal("ipv4"), Type.Literal("ipv6")]),
  location: Type.Object({ name: Type.String() }),
  assignee_id: Type.Union([Type.Null(), Type.Integer()]),
});
export const OfferSchema = Type.Object({
  name: Type.String(),
  cores: Type.Integer(),
  architecture: Type.String(),
  locations: Type.Array(Type.Object({ name: Type.String(), available: Type.Boolean() })),
  prices: Type.Array(Type.Object({ location: Type.String(), price_monthly: Type.Object({ net: Type.String() }) })),
});
export const OfferPageSchema = Type.Object({
  server_types: Type.Array(OfferSchema),
  meta: Type.Object({ pagination: Type.Object({ next_page: Type.Union([Type.Null(), Type.Integer()]) }) }),
});
export const FirewallSchema = Type.Object({ id: Type.Integer(), name: Type.String() });
export const RrsetsSchema = Type.Object({
  rrsets: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
});
/** One resource, under the name of its kind. */
export const ProtectedSchema = Type.Record(
  Type.String(),
  Type.Object({ protection: Type.Object({ delete: Type.Boolean() }) }),
);
export const RefusalSchema = Type.Object({ error: Type.Object({ code: Type.String(), message: Type.String() }) });
