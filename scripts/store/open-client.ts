import { createHash } from "node:crypto";
import { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";

import { S3Client } from "@aws-sdk/client-s3";

const defaultLimitMs = 15_000;

type Environment = Readonly<Record<string, string | undefined>>;

export type CloudStore = Disposable & { client: S3Client; bucket: string };

/**
 * Opens the bucket that the environment names. Without LIFEBOAT_ACCESS_KEY_ID it uses the user's AWS login, in any way
 * that the SDK knows. With it, the secret key is read, by default from stdin. Makes no request. Throws when the
 * description is incomplete.
 */
export async function openCloudStore(
  environment: Environment,
  readSecret: () => Promise<string> = readSecretFromStdin,
): Promise<CloudStore> {
  // A conditional PUT that is retried would refuse its own first success.
  return openStore(environment, readSecret, { maxAttempts: 1 });
}

/** The same for callers without conditional writes: temporary failures are retried by the SDK. */
export async function openPatientStore(
  environment: Environment,
  readSecret: () => Promise<string>,
  requestLimitMs?: number,
): Promise<CloudStore> {
  return openStore(
    environment,
    readSecret,
    requestLimitMs === undefined ? {} : { limits: { requestTimeout: requestLimitMs } },
  );
}

/**
 * The same as the patient one, for large objects: an upload may last as long as it makes progress. The secret key is
 * read from stdin, if not said otherwise.
 */
export async function openUploadStore(
  environment: Environment,
  readSecret: () => Promise<string> = readSecretFromStdin,
): Promise<CloudStore> {
  return openStore(environment, readSecret, { limits: { requestTimeout: 0, socketTimeout: 60_000 } });
}

type Manner = { maxAttempts?: number; limits?: { requestTimeout: number; socketTimeout?: number } };

async function openStore(
  environment: Environment,
  readSecret: () => Promise<string>,
  { limits, ...repetition }: Manner,
): Promise<CloudStore> {
  const bucket = requireVariable(environment, "LIFEBOAT_BUCKET");
  const endpoint = environment["LIFEBOAT_ENDPOINT"] ?? "";
  const accessKeyId = environment["LIFEBOAT_ACCESS_KEY_ID"] ?? "";
  const profile = environment["AWS_PROFILE"] ?? "";
  const client = new S3Client({
    region: requireVariable(environment, "LIFEBOAT_REGION"),
    ...(endpoint === "" ? {} : { endpoint }),
    forcePathStyle: environment["LIFEBOAT_PATH_STYLE"] === "true",
    ...(profile === "" ? {} : { profile }),
    ...(accessKeyId === "" ? {} : { credentials: { accessKeyId, secretAccessKey: await readSecret() } }),
    ...repetition,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: defaultLimitMs,
      throwOnRequestTimeout: true,
      ...limits,
    },
  });
  addContentMd5(client);
  limitSilence(client, limits?.requestTimeout || defaultLimitMs);
  return { client, bucket, [Symbol.dispose]: () => client.destroy() };
}

/** Ends an answer whose body stops. The SDK's own limit ends with the first bytes. */
function limitSilence(client: S3Client, limitMs: number): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const answered = await next(args);
      const body = bodyOf(answered.response);
      const cause = `nothing arrived for ${limitMs / 1000} s`;
      body?.setTimeout(limitMs, () => body.destroy(Object.assign(new Error(cause), { name: "TimeoutError" })));
      return answered;
    },
    { step: "deserialize", priority: "low", name: "limitSilence" },
  );
}

function bodyOf(response: unknown): IncomingMessage | null {
  if (typeof response !== "object" || response === null || !("body" in response)) return null;
  return response.body instanceof IncomingMessage ? response.body : null;
}

/**
 * The SDK sends CRC32 with calls that demand a checksum (DeleteObjects, settings of a bucket). Many stores know only
 * Content-MD5, which Litestream sends with them. Amazon accepts both.
 */
function addContentMd5(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      if (isSummed(args.request)) {
        const { body, headers } = args.request;
        headers["content-md5"] = createHash("md5").update(body).digest("base64");
      }
      return next(args);
    },
    // Before the request is signed.
    { step: "finalizeRequest", priority: "high", name: "addContentMd5" },
  );
}

type SummedRequest = { body: string; headers: Record<string, string> };

function isSummed(request: unknown): request is SummedRequest {
  if (typeof request !== "object" || request === null || !("body" in request && "headers" in request)) return false;
  const { body, headers } = request;
  return (
    typeof body === "string" && typeof headers === "object" && headers !== null && "x-amz-checksum-crc32" in headers
  );
}

/** Reads one variable. Throws when it is missing or empty. */
export function requireVariable(environment: Environment, name: string): string {
  const value = environment[name] ?? "";
  if (value === "") throw new Error(`${name} is missing: this script is run by pulumi up`);
  return value;
}

async function readSecretFromStdin(): Promise<string> {
  const secret = (await text(process.stdin)).trim();
  if (secret === "") throw new Error("the secret access key is missing on stdin: this script is run by pulumi up");
  return secret;
}
