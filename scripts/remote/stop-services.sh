#!/bin/sh
# Run as root on the machine, before it goes: `npm run down` sends it by SSH; in a release it is run by run-deploy. It
# stops Lifeboat and ends with 0 only if everything is in the bucket. Otherwise it starts Lifeboat again. A second run
# gives the same result.
set -eu

main() {
  # A deploy that is under way would start again what is stopped here. One that comes later finds it stopped.
  if [ -z "${LIFEBOAT_DEPLOY-}" ]; then
    umask 077
    exec 8>/run/lifeboat-bring-up.lock
    flock 8
  fi
  # This machine has written nothing, but a kept volume may hold what is not in the bucket.
  if [ "$(systemctl show --value --property LoadState app.service)" = not-found ]; then
    echo "lifeboat: this machine never got its release, so nobody has looked at its volume" >&2
    exit 1
  fi
  # By name too: stopping the target does not stop a boot that is still in progress.
  systemctl stop lifeboat.target boot.service app.service litestream.service || complain "its services cannot be stopped"
  # systemd forgets how a service ended, so read the mark: it has a clean stop only after a checked final sync
  # (app/main.ts), and loses it when the app starts again.
  if ! grep -q '"cleanStop": *{' /data/mark.json; then complain "the app has left no clean stop behind: its last sync failed, or it never ran"; fi
}

# The caller gives up after this, so the machine must serve again.
complain() {
  echo "lifeboat: $1" >&2
  journalctl --unit boot --unit app --lines 8 --no-pager --output cat >&2
  # By the failure that is complained of: whoever waits for the app would give up at once.
  systemctl stop lifeboat-down.target
  systemctl start --no-block lifeboat.target
  echo "lifeboat: the services were started again" >&2
  exit 1
}

main
