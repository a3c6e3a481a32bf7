import { S3Client } from "@aws-sdk/client-s3";

import type { BucketConfig } from "./bucket.ts";

type Opening = { answerMs: number; maxAttempts: number; onDate: (date: string) => void };

/** Makes a client of the AWS SDK. `onDate` is told the store's clock, as every answer shows it. */
export function openS3Client(config: BucketConfig, { answerMs, maxAttempts, onDate }: Opening): S3Client {
  const client = new S3Client({
    region: config.region,
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    forcePathStyle: config.pathStyle,
    credentials: { accessKeyId: config.accessKeyId, secretAccessKey: config.secretAccessKey },
    // Other stores than AWS reject the SDK's newer trailing checksums; the signature covers the payload anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: 2_000, requestTimeout: answerMs, throwOnRequestTimeout: true },
    maxAttempts,
  });
  // The innermost step: it sees answers that the SDK turns into errors, too.
  client.middlewareStack.add(
    (next) => async (args) => {
      const answered = await next(args);
      const date = readDate(answered.response);
      if (date !== null) onDate(date);
      return answered;
    },
    { step: "deserialize", priority: "low", name: "readDate" },
  );
  return client;
}

function readDate(response: unknown): string | null {
  if (typeof response !== "object" || response === null || !("headers" in response)) return null;
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return null;
  return typeof headers.date === "string" ? headers.date : null;
}
