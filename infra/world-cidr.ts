// The largest network that one organization has; whatever is larger is a good part of the world.
const leastBits = { v4: 8, v6: 16 };

/** Whether a network in CIDR notation is, or holds, so much of the internet that nobody can mean it. */
export function isWorldCidr(cidr: string): boolean {
  const [address = "", bits = ""] = cidr.split("/");
  return Number(bits) < (address.includes(":") ? leastBits.v6 : leastBits.v4);
}
