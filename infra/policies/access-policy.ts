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

/** AWS's size limit for a policy embedded in a user, without white space. */
export const userPolicyLimit = 2048;

/**
 * What the machine may do, and no more: a stolen machine cannot plant a release, remove head or erase history, and with
 * `sources` a stolen key does not work elsewhere. LIST covers the whole bucket, because absence is proven by listing:
 * otherwise AWS answers 403 to a GET of a missing object.
 */
export function machinePolicy(bucket: string, sources?: readonly string[]): PolicyDocument {
  const arn = bucketArn(bucket);
  const Condition = sources === undefined ? {} : { Condition: { IpAddress: { "aws:SourceIp": [...sources] } } };
  const allow = (Sid: string, Action: readonly string[], Resource: readonly string[]): PolicyStatement => {
    return { Sid, Effect: "Allow", Action, Resource, ...Condition };
  };
  return document([
    allow("ReadEverything", ["s3:GetObject"], [`${arn}/*`]),
    allow("ListEverything", ["s3:ListBucket"], [arn]),
    allow(
      "WriteOwnObjects",
      ["s3:PutObject"],
      // files/: what the product's users upload. Written once, and deleted by nobody on the machine.
      [`${arn}/epochs/*`, `${arn}/head.json`, `${arn}/reports/*`, `${arn}/files/*`],
    ),
    // Litestream's retention. With versioning on, a delete only hides: nobody on the machine may delete versions.
    allow("RetireReplicaFiles", ["s3:DeleteObject", "s3:AbortMultipartUpload"], [`${arn}/epochs/*`]),
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

// The same at AWS and at the stores that copy its IAM.
function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

function document(statements: readonly PolicyStatement[]): PolicyDocument {
  return { Version: "2012-10-17", Statement: statements };
}
