import { readFileSync } from "node:fs";
import { Agent } from "node:https";

import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";

import { waitFor } from "../../../app/cli/wait-for.ts";
import { findFreePorts } from "../../../scripts/local/free-ports.ts";
import { startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { operatorPolicy } from "./rights.ts";

/** An "AWS account": S3 and IAM of a real server that speaks TLS, checks signatures and enforces policies. */
export type Account = AsyncDisposable &
  Readonly<{
    s3: S3Client;
    iam: IAMClient;
    /** A client of the same server with another key, and from another address of this computer if one is given. */
    openAs(key: Key, localAddress?: string): S3Client;
    /** The owner's client on the port without TLS. */
    plainS3: S3Client;
    /** The URL of that port. */
    plainEndpoint: string;
    /** The key that may do everything: that of a given store. */
    owner: Key;
    /** What a shell needs to be logged in to it, as a user who has the rights of docs/iam-policy.json and no others. */
    environment: Record<string, string>;
    region: string;
    /** What its server shows, and what a shell that is logged in trusts. */
    certificate: Certificate;
    /** Bucket settings that SeaweedFS cannot keep (it answers 501), by "setting bucket". */
    settings: Map<string, string>;
  }>;

type Key = Readonly<{ accessKeyId: string; secretAccessKey: string }>;

const knownActions =
  /^s3:((Get|Put|Delete)Object(Version)?|AbortMultipartUpload|List(Bucket|BucketVersions|\*)|DeleteBucket)$/;
/** What SeaweedFS demands for a call, but knows in a policy only as a part of more. */
const coarserActions: Readonly<Record<string, string>> = { "s3:ListBucketMultipartUploads": "s3:List*" };

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
  const dispose = () => store[Symbol.asyncDispose]();
  const httpsAgent = new Agent({ ca });
  const iam = new IAMClient({ ...common, endpoint, credentials: owner, requestHandler: { httpsAgent, ...limits } });
  const operator = await makeOperator(iam);
  const environment = {
    AWS_ACCESS_KEY_ID: operator.accessKeyId,
    AWS_SECRET_ACCESS_KEY: operator.secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    NODE_EXTRA_CA_CERTS: certificate.path,
  };
  const settings = new Map<string, string>();
  const clients = { s3, iam, openAs, plainS3, plainEndpoint: store.access.endpoint, owner, environment };
  return { ...clients, region, certificate, settings, [Symbol.asyncDispose]: dispose };
}

/**
 * Whoever runs `up`, with those rights of the policy that our scripts use: the server enforces them. It refuses a
 * policy with an action that it does not know, such as most of those on a bucket's settings; these are held against the
 * policy by the stand-in of the provider (rights.ts).
 */
async function makeOperator(iam: IAMClient): Promise<Key> {
  const UserName = "operator";
  const Statement = operatorPolicy.Statement.map(({ Action, ...rest }) => ({
    ...rest,
    Action: Action.map((name) => coarserActions[name] ?? name).filter((name) => knownActions.test(name)),
  })).filter(({ Action }) => Action.length > 0);
  const PolicyDocument = JSON.stringify({ ...operatorPolicy, Statement });
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: UserName, PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  if (AccessKey?.AccessKeyId === undefined || AccessKey.SecretAccessKey === undefined)
    throw new Error("no key was made");
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
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
