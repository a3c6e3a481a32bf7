import { waitFor } from "../../app/cli/wait-for.ts";
import type { MachineRoot } from "./machine-root.ts";

/**
 * Where Hetzner's and Amazon's answer: by IPv4, by IPv6 link-local on one interface, and by an address of Amazon's own.
 */
export const metadataUrls = ["http://169.254.169.254/", "http://[fe80::a9fe:a9fe%25veth0]/", "http://[fd00:ec2::254]/"];

// In Python, because the machine may not see this Node: it may lie under /tmp, and the machine has another /tmp.
const server = `
import socket
listener = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, _ = listener.accept()
    try:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nthe bucket's key")
    except OSError:
        pass
    connection.close()`;

/** Starts a metadata service in a second network namespace, which a virtual cable connects to the machine. */
export async function startMetadataService(root: MachineRoot): Promise<void> {
  const script = `set -e
    ip link add veth0 type veth peer name veth1
    unshare --net sleep infinity >/dev/null 2>&1 & neighbour=$!
    until [ "$(readlink /proc/$neighbour/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
    ip link set veth1 netns $neighbour
    ip link set veth0 up
    ip address add 10.9.0.1/24 dev veth0
    ip address add fd99::1/64 dev veth0 nodad
    there="nsenter --target $neighbour --net"
    $there ip link set lo up
    $there ip link set veth1 up
    for address in 10.9.0.2/24 169.254.169.254/32; do $there ip address add $address dev veth1; done
    for address in fd99::2/64 fe80::a9fe:a9fe/64 fd00:ec2::254/128; do $there ip address add $address dev veth1 nodad; done
    ip route add 169.254.169.254 via 10.9.0.2
    ip route add fd00:ec2::254 via fd99::2
    $there python3 -c "$0" >/dev/null 2>&1 &`;
  const { code, stderr } = await root.run(["sh", "-c", script, server]);
  if (code !== 0) throw new Error(`no metadata service: ${stderr}`);
  const probe = async () => ((await findReadable(root, [])).length === metadataUrls.length ? true : null);
  await waitFor("the metadata service", probe, { timeoutMs: 20_000 });
}

/** The addresses at which a metadata service answers to a command of the machine that is started by these words. */
export async function findReadable(root: MachineRoot, starter: readonly string[]): Promise<string[]> {
  const asked = metadataUrls.map(async (url) => {
    const { stdout } = await root.run([...starter, "curl", "--silent", "--max-time", "3", url]);
    return stdout === "the bucket's key" ? [url] : [];
  });
  return (await Promise.all(asked)).flat();
}
