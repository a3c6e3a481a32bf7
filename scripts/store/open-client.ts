import { createHash } from "node:crypto";
import { text } from "node:stream/consumers";

import { S3Client } from "@aws-sdk/client-s3";

type Environment = Readonly<Record<string, string | undefined>>;

export type CloudStore = Disposable & { client: S3Client; bucket: string };

/**
 * Opens the bucket that the environment names. Without LIFEBOAT_ACCESS_KEY_ID whoever runs this is logged in at AWS, by whatever way the SDK knows;
 * with it, the secret key is read, from stdin if nothing else is said. No request is made. Throws when the description is incomplete.
 */
export async function openCloudStore(
  environment: Environment,
  readSecret: () => Promise<string> = readSecretFromStdin,
): Promise<CloudStore> {
  // A conditional PUT that is repeated by itself would refuse its own first success.
  return openStore(environment, readSecret, { maxAttempts: 1 });
}

/** The same for whoever writes nothing under a condition: what fails for a moment is repeated, as the SDK does by itself. */
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

/** The same as the patient one, for large objects: an upload may last as long as it moves. The secret key is read from stdin. */
export async function openUploadStore(environment: Environment): Promise<CloudStore> {
  return openStore(environment, readSecretFromStdin, { limits: { requestTimeout: 0, socketTimeout: 60_000 } });
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
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 15_000, throwOnRequestTimeout: true, ...limits },
  });
  addContentMd5(client);
  return { client, bucket, [Symbol.dispose]: () => client.destroy() };
}

/**
 * The calls that demand a checksum (DeleteObjects, settings of a bucket) get CRC32 from the SDK; many stores know only Content-MD5, which Litestream
 * sends with them. Amazon takes both.
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
