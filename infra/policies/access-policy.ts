/** The part of an IAM policy document that we write. */
export type PolicyDocument = { Version: "2012-10-17"; Statement: readonly PolicyStatement[] };

type PolicyStatement = {
  Sid: string;
  Effect: "Allow" | "Deny";
  Principal?: "*";
  Action: readonly string[];
  Resource: readonly string[];
  Condition?: Record<string, Record<string, string | readonly string[]>>;
};

/** Where the edge keeps its certificates, and their private keys, in the bucket. */
const certificatesPrefix = "tls/";

/** AWS's size limit for a policy embedded in a user, without white space. */
export const userPolicyLimit = 2048;

/**
 * What the machine may do, and no more: a stolen machine cannot plant a release, remove head or erase history, and with
 * `sources` a stolen key does not work elsewhere. LIST covers the whole bucket, because absence is proven by listing:
 * otherwise AWS answers 403 to a GET of a missing object. What it may read is a list, and tls/ is not on it: whoever
 * takes over the app does not get the private keys of its names. A Deny would say it twice, and AWS's limit is short.
 */
export function machinePolicy(bucket: string, sources?: readonly string[]): PolicyDocument {
  const arn = bucketArn(bucket);
  const Condition = sources === undefined ? {} : { Condition: { IpAddress: comesFrom(sources) } };
  const allow = (Sid: string, Action: readonly string[], keys: readonly string[]): PolicyStatement => {
    return { Sid, Effect: "Allow", Action, Resource: keys.map((key) => `${arn}${key}`), ...Condition };
  };
  const readable = ["/epochs/*", "/files/*", "/head.json", "/lifeboat.json"];
  // re*: releases, remote settings, reports, and the recovery card.
  const ofOthers = ["/re*", "/desired-release.json", "/wanted-release.json"];
  return document([
    // Each action concerns one kind of resource, so one statement can name both: the networks stand in every statement.
    allow("Read", ["s3:ListBucket", "s3:GetObject"], ["", ...readable, ...ofOthers]),
    // files/: what the product's users upload. Written once, and deleted by nobody on the machine.
    allow("Write", ["s3:PutObject"], ["/epochs/*", "/head.json", "/reports/*", "/files/*"]),
    // Litestream's retention. With versioning on, a delete only hides: nobody on the machine may delete versions.
    allow("Retire", ["s3:DeleteObject", "s3:AbortMultipartUpload"], ["/epochs/*"]),
  ]);
}

/**
 * What the machine's edge may do: keep its certificates, and no more. LIST is for the proof that there are none yet,
 * and sees nothing else.
 */
export function edgePolicy(bucket: string, sources?: readonly string[]): PolicyDocument {
  const arn = bucketArn(bucket);
  const where = sources === undefined ? {} : { IpAddress: comesFrom(sources) };
  const listed = { StringLike: { "s3:prefix": `${certificatesPrefix}*` } };
  return document([
    {
      Sid: "KeepCertificates",
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:PutObject"],
      Resource: [`${arn}/${certificatesPrefix}*`],
      ...(sources === undefined ? {} : { Condition: where }),
    },
    {
      Sid: "ListCertificates",
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: [arn],
      Condition: { ...where, ...listed },
    },
  ]);
}

/**
 * What whoever deploys from CI may do, and no more: put releases there, wish for one, and read what became of it. It
 * reads no data and reports nothing. Yet a release runs as root on the machine: whoever has this key has the machine.
 */
export function deployPolicy(bucket: string): PolicyDocument {
  const arn = bucketArn(bucket);
  const written = ["releases/*", "wanted-release.json", "desired-release.json"];
  const read = [...written, "reports/deploys/*", "lifeboat.json"];
  return document([
    { Sid: "ReadDeploys", Effect: "Allow", Action: ["s3:GetObject"], Resource: read.map((key) => `${arn}/${key}`) },
    { Sid: "Deploy", Effect: "Allow", Action: ["s3:PutObject"], Resource: written.map((key) => `${arn}/${key}`) },
    {
      Sid: "ProveAbsence",
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: [arn],
      Condition: { StringLike: { "s3:prefix": read } },
    },
  ]);
}

/** The bucket's own policy: nobody, not even the owner, gets access without TLS. */
export function tlsOnlyPolicy(bucket: string): PolicyDocument {
  const arn = bucketArn(bucket);
  const statement: PolicyStatement = {
    Sid: "OnlyOverTls",
    Effect: "Deny",
    Principal: "*",
    Action: ["s3:*"],
    Resource: [arn, `${arn}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  return document([statement]);
}

function comesFrom(sources: readonly string[]) {
  return { "aws:SourceIp": [...sources] };
}

// The same at AWS and at the stores that copy its IAM.
function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

function document(statements: readonly PolicyStatement[]): PolicyDocument {
  return { Version: "2012-10-17", Statement: statements };
}
