/**
 * What the provider adds to an image, beside the user-data: the machine trusts an authority, in PEM, as it trusts Let's
 * Encrypt's, and runs these commands. A boothook, because it runs early, and user-data has a bootcmd of its own.
 */
export function renderVendorData(authority: string, commands: readonly string[] = []): string {
  const trust = `cat >/etc/ssl/certs/acme-of-this-computer.pem <<'END'\n${authority.trim()}\nEND`;
  return `${["#cloud-boothook", "#!/bin/sh", trust, ...commands].join("\n")}\n`;
}
