import type { Decide } from "../replica/store-proxy.ts";

/**
 * What Amazon's S3 demands of a signed request and SeaweedFS does not: the hash of the body in a header, and a signature over every header of
 * Amazon's. What it then says of the key and its token is the real store's.
 */
export const demandLikeAmazon: Decide = ({ headers }) => {
  if (headers["x-amz-content-sha256"] === undefined)
    return refuse(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  const signed = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? "")?.[1]?.split(";") ?? [];
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !signed.includes(name));
  if (unsigned.length === 0) return "pass";
  return refuse(
    403,
    "AccessDenied",
    `There were headers present in the request which were not signed: ${unsigned.join(", ")}`,
  );
};

function refuse(status: number, code: string, message: string) {
  return {
    status,
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  };
}
