// What OpenSSL says of a certificate; names as in Node's documentation of TLS errors.
const refusedCertificates: ReadonlySet<string> = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_REJECTED",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_CHAIN_TOO_LONG",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "HOSTNAME_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

// The other side speaks no TLS, or none that we share. Everything else of EPROTO may be a torn connection.
const refusedHandshake =
  /wrong version number|packet length too long|unknown protocol|http request|unrecognized name|handshake failure|alert protocol version|unsupported protocol/i;

/**
 * Whether TLS itself was refused: a certificate that does not fit, or an endpoint without TLS. No waiting cures that. A
 * connection that breaks in the middle of a handshake is none of it.
 */
export function findTlsFault(error: unknown): "tls-refused" | null {
  if (!(error instanceof Error)) return null;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (refusedCertificates.has(code)) return "tls-refused";
  const isHandshake = code === "EPROTO" || code.startsWith("ERR_SSL_");
  return isHandshake && refusedHandshake.test(error.message) ? "tls-refused" : null;
}
