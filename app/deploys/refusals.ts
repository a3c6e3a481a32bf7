import { silenceLimitMs } from "./deploy-report.ts";

/** The end of a deploy that has touched nothing. */
export function refuse(cause: string, next: string) {
  return { outcome: "refused", cause, next } as const;
}

export const lookAtBootstrap =
  "on the machine, or by the provider's console: journalctl -u lifeboat-bootstrap; then npm run deploy";

export const expired = refuse(
  `nobody waits for it any more: for ${silenceLimitMs / 60_000} minutes nothing was heard of it, and it was meant for a machine at work`,
  "run what wished for it again, if it is still wanted",
);

export const stopped = refuse(
  "somebody has stopped Lifeboat on the machine, or takes it away just now, or its bootstrap has refused",
  "to serve again: npm run up, or on the machine: systemctl start lifeboat.target; then npm run deploy",
);

export const makeRoom =
  "make room on the machine's own disk (df -h), or where SSH is closed: npm run up -- --rebuild; then npm run deploy";
