// The largest network that one organisation has. Anything larger is a large part of the internet.
const leastBits = { v4: 8, v6: 16 };

/** Whether a network in CIDR notation covers so much of the internet that it must be a mistake. */
export function isWorldCidr(cidr: string): boolean {
  const [address = "", bits = ""] = cidr.split("/");
  return Number(bits) < (address.includes(":") ? leastBits.v6 : leastBits.v4);
}
