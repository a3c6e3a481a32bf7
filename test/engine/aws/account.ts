import { readFileSync } from "node:fs";
import { Agent } from "node:https";

import { IAMClient } from "@aws-sdk/client-iam";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";

import { findFreePorts } from "../../../scripts/drill/free-ports.ts";
import { startSeaweedStore } from "../../../scripts/drill/seaweed-store.ts";
import { waitFor } from "../../../scripts/verb/wait-for.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";

/** An "AWS account": S3 and IAM of a real server that speaks TLS, checks signatures and enforces policies. */
export type Account = AsyncDisposable &
  Readonly<{
    s3: S3Client;
    iam: IAMClient;
    /** A client of the same server with another key, and from another address of this computer if one is given. */
    openAs(key: Key, localAddress?: string): S3Client;
    /** The owner's client on the port without TLS. */
    plainS3: S3Client;
    /** What a shell needs to be logged in to it. */
    environment: Record<string, string>;
    region: string;
    /** Bucket settings that SeaweedFS cannot keep (it answers 501), by "setting bucket". */
    settings: Map<string, string>;
  }>;

type Key = Readonly<{ accessKeyId: string; secretAccessKey: string }>;

// As in AWS's own examples.
export const accountId = "123456789012";

/** Opens an empty account. TLS because our bucket policy refuses everything else, and SeaweedFS enforces that. */
export async function openAccount(directory: string): Promise<Account> {
  const certificate = await makeCertificate(directory);
  const [port = 0] = await findFreePorts(1);
  const store = await startSeaweedStore({ iamApi: true, flags: tlsFlags(port, certificate) });
  const { region, accessKeyId, secretAccessKey } = store.access;
  const endpoint = `https://127.0.0.1:${port}`;
  const ca = readFileSync(certificate.path);
  const common = { region, maxAttempts: 1 };
  const limits = { requestTimeout: 10_000, throwOnRequestTimeout: true };
  const s3Client = { ...common, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" } as const;
  const openAs = (credentials: Key, localAddress?: string) => {
    const httpsAgent = new Agent({ ca, ...(localAddress === undefined ? {} : { localAddress }) });
    return new S3Client({ ...s3Client, endpoint, credentials, requestHandler: { httpsAgent, ...limits } });
  };
  const owner = { accessKeyId, secretAccessKey };
  const s3 = openAs(owner);
  const plainS3 = new S3Client({
    ...s3Client,
    endpoint: store.access.endpoint,
    credentials: owner,
    requestHandler: limits,
  });
  await waitFor("SeaweedFS over TLS", () => s3.send(new ListBucketsCommand()), { timeoutMs: 10_000 });
  const environment = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    NODE_EXTRA_CA_CERTS: certificate.path,
  };
  const dispose = () => store[Symbol.asyncDispose]();
  const httpsAgent = new Agent({ ca });
  const iam = new IAMClient({ ...common, endpoint, credentials: owner, requestHandler: { httpsAgent, ...limits } });
  return { s3, iam, openAs, plainS3, environment, region, settings: new Map(), [Symbol.asyncDispose]: dispose };
}

function tlsFlags(port: number, { path, keyPath }: Certificate): string[] {
  return [`-s3.port.https=${port}`, `-s3.cert.file=${path}`, `-s3.key.file=${keyPath}`];
}

/** True for the errors that say "there is no such thing". */
function isMissing(error: unknown): boolean {
  return error instanceof Error && /^(NotFound|NoSuch\w+)$/.test(error.name);
}

/** What the call answers, or null when the thing is not there. */
export async function orNull<Answer>(call: Promise<Answer>): Promise<Answer | null> {
  try {
    return await call;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
