#!/bin/sh
# Runs on the machine, as root, sent by `npm run down`. Stops Lifeboat and ends with 0 only if everything is in the bucket; else it is
# started again.
# A second run says the same.
set -eu

main() {
  # Nothing was written in this life; but what a kept volume brought along may not be in the bucket.
  if [ "$(systemctl show --value --property LoadState app.service)" = not-found ]; then
    echo "lifeboat: this machine never got its release, so nobody has looked at its volume" >&2
    exit 1
  fi
  # By name too: a boot that is still under way is not up for the target to stop.
  systemctl stop lifeboat.target boot.service app.service litestream.service || complain "its services cannot be stopped"
  # How a service ended, systemd forgets as soon as it is down. The app's mark stays: it tells of a clean stop only after a last
  # sync that was checked (app/main.ts), and no more once the app has started again.
  if ! grep -q '"cleanStop": *{' /data/mark.json; then complain "the app has left no clean stop behind: its last sync failed, or it never ran"; fi
}

# Whoever asked will not go on, so what was served before is served again.
complain() {
  echo "lifeboat: $1" >&2
  journalctl --unit boot --unit app --lines 8 --no-pager --output cat >&2
  systemctl start --no-block lifeboat.target
  echo "lifeboat: the services were started again" >&2
  exit 1
}

main
