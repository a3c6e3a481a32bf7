/** How somebody gets at the machine by hand. */
export type WayIn = {
  address: string;
  /** Whether a port is open for SSH (adminCidrs). */
  hasSsh: boolean;
};

/** How to start services that somebody has stopped, and what helps if that does not. */
export function describeStart({ address, hasSsh }: WayIn): string {
  const start = hasSsh
    ? `ssh root@${address} systemctl start lifeboat.target`
    : "restart the server at Hetzner, which starts them (SSH is closed: adminCidrs is empty)";
  return `${start}; or make it anew: npm run up -- --rebuild`;
}

/** How to read why there is no certificate: nothing of it lies in the bucket. */
export function describeEdgeLog({ address, hasSsh }: WayIn): string {
  const read = `ssh root@${address} journalctl --unit caddy --unit edge --lines 20 --no-pager`;
  if (hasSsh) return read;
  return `SSH is closed (adminCidrs is empty), and the machine alone knows; to let yourself in: pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32" && npm run up, then ${read}`;
}
