import { afterAll, beforeAll, expect } from "vitest";

import { MachineRoot, machineTest } from "./machine-root.ts";
import { stubCommand } from "./stub-command.ts";

// A network of callers, each on an address of its own, and a server that keeps whatever comes.
const setUp = `set -e
  ip link add veth0 type veth peer name veth1
  unshare --net sleep infinity >/dev/null 2>&1 & echo $! >/run/callers
  until [ "$(readlink /proc/$(cat /run/callers)/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
  there="nsenter --target $(cat /run/callers) --net"
  ip link set veth1 netns "$(cat /run/callers)"
  ip link set veth0 up && ip address add 10.9.0.1/24 dev veth0 && ip address add fd99::1/48 dev veth0 nodad
  $there ip link set veth1 up
  for address in 10.9.0.2/24 10.9.0.3/24; do $there ip address add $address dev veth1; done
  for address in fd99:0:0:1::2/48 fd99:0:0:1::3/48 fd99:0:0:2::2/48; do $there ip address add $address dev veth1 nodad; done`;
const server = `
import socket, threading
kept = []
def serve(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    while True: kept.append(listener.accept())
for port in (443, 22): threading.Thread(target=serve, args=(port,)).start()`;
// Opens connections until one is not answered; prints how many there were from each address, in order.
const callers = `
import socket, sys
port, to = int(sys.argv[1]), sys.argv[2]
kept = []
for source in sys.argv[3:]:
    count = 0
    try:
        while count < 9:
            kept.append(socket.create_connection((to, port), timeout=0.7, source_address=(source, 0)))
            count += 1
    except OSError: pass
    print(count)`;

let root: MachineRoot;
beforeAll(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  const made = await root.run(["sh", "-c", setUp]);
  if (made.code !== 0) throw new Error(`no network of callers: ${made.stderr}`);
  await root.run(["sh", "-c", 'python3 -c "$0" >/dev/null 2>&1 &', server]);
  await root.run(["sh", "-c", "until ss -ltn | grep -q :443; do sleep 0.1; done"]);
}, 60_000);
afterAll(() => root[Symbol.asyncDispose]());

async function countCalls(port: string, to: string, ...sources: string[]): Promise<number[]> {
  const words = ['nsenter --target "$(cat /run/callers)" --net python3 -c "$@"', "sh", callers, port, to, ...sources];
  const { stdout } = await root.run(["sh", "-c", ...words]);
  return stdout.trim().split("\n").map(Number);
}

machineTest(
  "an address gets so many connections to Caddy's ports and no more, others get theirs, and SSH any number",
  async ({ skip }) => {
    skip((await root.succeeds(["which", "nft"])) === null, "nft is not installed");
    const script = `${import.meta.dirname}/../../cloud-init/release/bin/limit-connections`;
    for (const _ of ["once", "again"])
      expect(await root.run([script, "4"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await countCalls("443", "10.9.0.1", "10.9.0.2", "10.9.0.3")).toEqual([4, 4]);
    expect(await countCalls("22", "10.9.0.1", "10.9.0.2")).toEqual([9]);
    // The first two are of one /64.
    expect(await countCalls("443", "fd99::1", "fd99:0:0:1::2", "fd99:0:0:1::3", "fd99:0:0:2::2")).toEqual([4, 0, 4]);
  },
);

machineTest.each([
  ["is missing", null, "there is no nft here"],
  ["refuses", 'echo "Error: Could not process rule: Operation not supported" >&2; exit 1', "Operation not supported"],
  ["never ends", "exec sleep 300", "nft ended with 124"],
])("an nft that %s holds nobody up: it is told as an error, with what to do", async (_, nft, cause) => {
  const script = `${import.meta.dirname}/../../cloud-init/release/bin/limit-connections`;
  if (nft !== null) await stubCommand(root, "nft", nft);
  const words = nft === null ? ["env", "PATH=/nowhere", "/bin/sh", script] : [script];
  const { code, stderr } = await root.run(words);
  if (nft !== null) await root.run(["rm", "/usr/local/sbin/nft"]);
  expect(code).toBe(0);
  // The level of the journal: an error.
  expect(stderr).toMatch(/^<3>lifeboat: .*no limit.*\/opt\/lifeboat\/current\/bin\/limit-connections$/m);
  expect(stderr).toContain(cause);
});
