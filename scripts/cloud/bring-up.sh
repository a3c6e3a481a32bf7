#!/bin/sh
# bring-up SHA256: runs on the machine, as root, sent by `pulumi up`. Brings it to a release and to the settings on stdin (lines
# as in /etc/lifeboat/environment, the last one "# complete"). What does not get ready is taken back. A second run changes nothing.
set -eu
umask 077
environment=/etc/lifeboat/environment

main() {
  exec 8>/run/lifeboat-bring-up.lock
  flock 8
  # Told by a process of its own: whoever writes into a connection that broke dies, and the way back must not.
  exec 3>&2 2>/run/lifeboat-bring-up.log
  tail --pid=$$ --sleep-interval=0.1 --lines=+1 --follow /run/lifeboat-bring-up.log >&3 8>&- &
  given=$(cat)
  case $given in *"# complete") ;; *) echo "lifeboat: the settings were cut off on their way" >&2 && exit 1 ;; esac
  wait_for_birth
  write_settings
  if /usr/local/lib/lifeboat/install-release "$1" && /opt/lifeboat/current/bin/serve; then
    rm -f "$environment.before"
    exit 0
  fi
  if [ -e "$environment.before" ]; then
    echo "lifeboat: going back to the settings from before" >&2
    mv "$environment.before" "$environment"
    /opt/lifeboat/current/bin/serve
  fi
  exit 1
}

# What else cloud-init complains about is none of ours.
wait_for_birth() {
  if cloud-init status --wait >/dev/null || systemctl is-enabled --quiet lifeboat-bootstrap.service; then return 0; fi
  cloud-init status --long >&2
  exit 1
}

# The file from before stays until a run has ended well: what it holds is the last that was seen to serve.
write_settings() {
  lines=${given%"# complete"}
  kept=$(printf '%s' "$lines" | sed 's/^\([A-Z0-9_]*=\).*/^\1/' | grep -v -f - "$environment")
  settings=$(printf '%s\n%s' "$kept" "$lines" | sort)
  if [ "$settings" = "$(sort "$environment")" ]; then return 0; fi
  if [ ! -e "$environment.before" ]; then replace "$environment.before" <"$environment"; fi
  printf '%s\n' "$settings" | replace "$environment"
}

replace() {
  cat >"$1.next"
  sync "$1.next"
  mv "$1.next" "$1"
}

main "$@"
