/**
 * Why a call to the store failed. `unreachable`, `throttled`, `clock-skewed` and `key-unknown` may be temporary (a new
 * AWS key takes seconds to be known everywhere). The others are not.
 */
export type BucketFault =
  | "unreachable"
  | "throttled"
  | "clock-skewed"
  | "key-unknown"
  | "key-refused"
  | "missing"
  | "precondition-failed"
  | "unsupported"
  | "never-matches"
  | "object-locked"
  | "tls-refused"
  | "not-a-store";

type FaultDetails = { detail: string; cause?: unknown; status?: number; isConditional?: boolean };

/** A call to the store that failed: the request, the kind of fault, the store's message. */
export class BucketError extends Error {
  override readonly name = "BucketError";
  readonly kind: BucketFault;
  /** The HTTP status. Undefined when the store did not answer. */
  readonly status: number | undefined;
  /** Whether it was a conditional write. */
  readonly isConditional: boolean;

  constructor(kind: BucketFault, doing: string, { detail, cause, status, isConditional = false }: FaultDetails) {
    super(`${doing}: ${kind} (${detail})`, { cause });
    this.kind = kind;
    this.status = status;
    this.isConditional = isConditional;
  }

  /** The answer did not come from an S3 server. */
  static notAStore(doing: string, detail: string): BucketError {
    return new BucketError("not-a-store", doing, { detail });
  }
}

/** Whether a fault may be temporary. All others are final. */
export function mayPass(error: unknown): boolean {
  return error instanceof BucketError && passing.has(error.kind);
}

/**
 * Faults of a new key: the store does not know it yet, or not yet its rights. They pass within seconds or never. A
 * wrong secret is not among them.
 */
export function isKeyFault(error: unknown): boolean {
  if (!(error instanceof BucketError)) return false;
  return error.kind === "key-unknown" || (error.kind === "key-refused" && /\bAccessDenied\b/.test(error.message));
}

/**
 * Maps an error of the AWS SDK to one of our kinds. The names are those of Amazon S3's error responses reference. A
 * programming error is passed on unchanged: waiting does not cure it.
 */
export function toBucketError(error: unknown, doing: string, { isConditional = false } = {}): unknown {
  if (error instanceof BucketError || isMistake(error)) return error;
  const { name, status, detail } = describe(error);
  const kind = findTlsFault(error) ?? findLock(name, detail) ?? classify(name, status);
  return new BucketError(kind, doing, {
    detail,
    cause: error,
    isConditional,
    ...(status === undefined ? {} : { status }),
  });
}

const passing: ReadonlySet<BucketFault> = new Set(["unreachable", "throttled", "clock-skewed", "key-unknown"]);

const kindsByName: Record<string, BucketFault> = {
  RequestTimeTooSkewed: "clock-skewed",
  InvalidAccessKeyId: "key-unknown",
  SignatureDoesNotMatch: "key-refused",
  AccessDenied: "key-refused",
  RequestTimeout: "unreachable",
  SlowDown: "throttled",
  TooManyRequests: "throttled",
  NoSuchKey: "missing",
  NoSuchBucket: "missing",
  PreconditionFailed: "precondition-failed",
  ConditionalRequestConflict: "precondition-failed",
  NotImplemented: "unsupported",
};

function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
}

/** A bucket with Object Lock demands a checksum with each PUT, and answers 400 without. */
function findLock(name: string, detail: string): BucketFault | null {
  const wantsChecksum = /Content-MD5|x-amz-checksum/i.test(detail) && /required|missing|must/i.test(detail);
  return name === "MissingContentMD5" || (name === "InvalidRequest" && wantsChecksum) ? "object-locked" : null;
}

function classify(name: string, status: number | undefined): BucketFault {
  const known = kindsByName[name];
  if (known !== undefined) return known;
  if (status === undefined || status >= 500) return status === 501 ? "unsupported" : "unreachable";
  if (status === 429 || status === 408) return "throttled";
  if (status === 401 || status === 403) return "key-refused";
  if (status === 404) return "missing";
  if (status === 412 || status === 409) return "precondition-failed";
  return "not-a-store";
}

function describe(error: unknown): { name: string; status: number | undefined; detail: string } {
  if (!(error instanceof Error)) return { name: "", status: undefined, detail: String(error) };
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined;
  const status =
    isRecord(metadata) && typeof metadata["httpStatusCode"] === "number" ? metadata["httpStatusCode"] : undefined;
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return { name: error.name, status, detail: `${error.name}${code}: ${error.message}`.slice(0, 300) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

// OpenSSL's errors about a certificate; names as in Node's documentation of TLS errors.
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

// The other side has no TLS, or no version in common with us. Any other EPROTO may be a broken connection.
const refusedHandshake =
  /wrong version number|packet length too long|unknown protocol|http request|unrecognized name|handshake failure|alert protocol version|unsupported protocol/i;

/**
 * Whether TLS itself was refused: an invalid certificate, or an endpoint without TLS. Waiting does not cure that. A
 * connection that breaks during a handshake does not count.
 */
function findTlsFault(error: unknown): "tls-refused" | null {
  if (!(error instanceof Error)) return null;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (refusedCertificates.has(code)) return "tls-refused";
  const isHandshake = code === "EPROTO" || code.startsWith("ERR_SSL_");
  return isHandshake && refusedHandshake.test(error.message) ? "tls-refused" : null;
}
