import type { ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";

import { findSecretsInClear } from "./secrets-in-clear.ts";
import { isWorldCidr } from "./world-cidr.ts";

// Properties arrive untyped: a policy judges other people's programs too.
type Properties = Record<string, unknown>;

/** SSH must not be open to the world. */
export const noWorldOpenSsh: ResourceValidationPolicy = {
  name: "no-world-open-ssh",
  description: "SSH is reachable from named networks only.",
  enforcementLevel: "mandatory",
  validateResource: ({ type, props }, report) => {
    if (type !== "hcloud:index/firewall:Firewall") return;
    for (const rule of records(props["rules"])) {
      const world = strings(rule["sourceIps"]).filter(isWorldCidr);
      if (rule["direction"] !== "in" || rule["protocol"] !== "tcp" || world.length === 0) continue;
      if (includesPort(rule["port"], 22))
        report(`SSH is open to ${world.join(" and ")}; name the networks of the administrators`);
    }
  },
};

/** The data volume must carry Hetzner's delete protection. */
export const volumeProtected: ResourceValidationPolicy = {
  name: "volume-protected",
  description: "A volume cannot be deleted by a slip of the hand.",
  enforcementLevel: "mandatory",
  validateResource: ({ type, props, name }, report) => {
    if (type !== "hcloud:index/volume:Volume" || props["deleteProtection"] === true) return;
    report(`volume ${name} has no deleteProtection; set protectData to true`);
  },
};

/** No rule may ever expire a current object: the replica would lose its base or its anchor. */
export const noCurrentObjectExpiry: ResourceValidationPolicy = {
  name: "no-current-object-expiry",
  description: "Lifecycle rules touch old versions and unfinished uploads only.",
  enforcementLevel: "mandatory",
  validateResource: ({ type, props }, report) => {
    if (!/^aws:s3\/bucket(V2|LifecycleConfiguration(V2)?)?:/.test(type)) return;
    for (const rule of [...records(props["rules"]), ...records(props["lifecycleRules"])]) {
      const [expiration] = records(rule["expiration"]);
      const expires =
        expiration !== undefined && (expiration["days"] !== undefined || expiration["date"] !== undefined);
      if (expires) report(`rule ${String(rule["id"])} expires current objects; replicas must never lose one`);
      if (records(rule["transitions"]).length > 0)
        report(`rule ${String(rule["id"])} moves current objects to another storage class`);
    }
  },
};

/** User-data is readable by whoever reaches the metadata service: secrets belong into one file that only root can read. */
export const noSecretInClear: ResourceValidationPolicy = {
  name: "no-secret-in-clear-in-user-data",
  description: "User-data holds secrets in root-only files, and nowhere else.",
  enforcementLevel: "mandatory",
  validateResource: ({ type, props }, report) => {
    const userData = props["userData"];
    if (type !== "hcloud:index/server:Server" || typeof userData !== "string") return;
    for (const found of findSecretsInClear(userData))
      report(`user-data holds ${found}; put it into a file with permissions 0600`);
  },
};

/** Every bucket at AWS must be private and versioned. A store that only speaks S3 is judged by its versioning alone. */
export const bucketPrivateAndVersioned: StackValidationPolicy = {
  name: "bucket-private-and-versioned",
  description: "Every bucket blocks public access and keeps old versions.",
  enforcementLevel: "mandatory",
  validateStack: ({ resources }, report) => {
    const ofType = (type: string) => resources.filter((resource) => resource.type === type);
    for (const bucket of ofType("aws:s3/bucket:Bucket")) {
      const its = (type: string) => ofType(type).filter(({ props }) => props["bucket"] === bucket.props["bucket"]);
      const isVersioned = its("aws:s3/bucketVersioning:BucketVersioning").some(
        ({ props }) => records(props["versioningConfiguration"])[0]?.["status"] === "Enabled",
      );
      if (!isVersioned) report(`bucket ${bucket.name} is not versioned`, bucket.urn);
      const isAws = records(bucket.provider?.props["endpoints"]).length === 0;
      const isClosed = its("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").some(({ props }) =>
        blocksEverything(props),
      );
      if (isAws && !isClosed) report(`bucket ${bucket.name} does not block public access`, bucket.urn);
    }
  },
};

/** All rules, for a policy pack. */
export const policies = [
  noWorldOpenSsh,
  volumeProtected,
  noCurrentObjectExpiry,
  noSecretInClear,
  bucketPrivateAndVersioned,
];

function blocksEverything(props: Properties): boolean {
  return ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"].every(
    (name) => props[name] === true,
  );
}

function includesPort(port: unknown, wanted: number): boolean {
  if (port === "any") return true;
  const [first = NaN, last = first] = String(port).split("-").map(Number);
  return first <= wanted && wanted <= last;
}

// What is a single object in one version of a provider is a list of one in another.
function records(value: unknown): Properties[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter(isProperties);
}

function isProperties(value: unknown): value is Properties {
  return typeof value === "object" && value !== null;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
