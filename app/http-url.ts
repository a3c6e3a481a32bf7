/** What is wrong with a URL that is to be called; null if nothing is. The URL may hold a secret, so it is not repeated. */
export function findUrlFault(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return "must start with https:// or http://";
  if (url.username !== "" || url.password !== "") return "must hold no user name or password";
  return null;
}
