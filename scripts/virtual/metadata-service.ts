import { createServer } from "node:http";

import { listenOnLoopback, type Loopback } from "../local/listen-on-loopback.ts";

/** What Hetzner tells a server of itself. */
export type Metadata = Readonly<{
  id: number;
  name: string;
  mac: string;
  ipv4: string;
  userData: string;
  /** Public keys that root may come in with. */
  sshKeys: readonly string[];
  location: string;
  /** A script or cloud-config of the provider's, beside the user-data. */
  vendorData: string;
}>;

/** Where a server asks. */
export const metadataAddress = { address: "169.254.169.254", port: 80 } as const;

/** Starts the metadata service of one server, as Hetzner's answers, on a port of loopback. */
export async function startMetadataService(metadata: Metadata): Promise<Loopback> {
  const answers = answersOf(metadata);
  const server = createServer((request, response) => {
    const answer = answers.get((request.url ?? "").replace(/\/$/, ""));
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "text/plain" });
    response.end(answer ?? "not found");
  });
  return listenOnLoopback(server);
}

/** Every path with its answer. JSON is YAML, which cloud-init reads. */
function answersOf(metadata: Metadata): ReadonlyMap<string, string> {
  const { id, name, mac, ipv4, sshKeys, location } = metadata;
  const subnets = [{ type: "dhcp", ipv4: true }];
  const whole = {
    "availability-zone": `${location}-dc1`,
    hostname: name,
    "instance-id": id,
    region: location,
    "public-ipv4": ipv4,
    "local-ipv4": "",
    "public-keys": sshKeys,
    "network-config": { version: 1, config: [{ type: "physical", name: "eth0", mac_address: mac, subnets }] },
    vendor_data: metadata.vendorData,
  };
  const parts = {
    metadata: JSON.stringify(whole, null, 1),
    "metadata/instance-id": String(id),
    "metadata/hostname": name,
    "metadata/public-ipv4": ipv4,
    "metadata/region": location,
    "metadata/private-networks": "[]",
    userdata: metadata.userData,
  };
  return new Map(Object.entries(parts).map(([path, answer]) => [`/hetzner/v1/${path}`, answer]));
}
