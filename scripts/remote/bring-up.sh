#!/bin/sh
# bring-up SHA256 [GB]: runs on the machine, as root, sent by `pulumi up`. Brings it to a release, to the size of its volume and to
# the settings on stdin: lines as in /etc/lifeboat/environment, after "# tokens" those of /etc/lifeboat/tokens, the last one
# "# complete". What does not get ready is taken back. A second run changes nothing; tokens alone restart nothing.
set -eu
umask 077
environment=/etc/lifeboat/environment
tokens=/etc/lifeboat/tokens
# A fixed number (cloud-init/bootstrap/etc/sysusers.d): at the birth, the group may still have to be made.
app_group=980

main() {
  exec 8>/run/lifeboat-bring-up.lock
  flock 8
  # Told by a process of its own: whoever writes into a connection that broke dies, and the way back must not.
  exec 3>&2 2>/run/lifeboat-bring-up.log
  tail --pid=$$ --sleep-interval=0.1 --lines=+1 --follow /run/lifeboat-bring-up.log >&3 8>&- &
  given=$(cat)
  case $given in *"# complete") ;; *) echo "lifeboat: the settings were cut off on their way" >&2 && exit 1 ;; esac
  wait_for_birth
  # Read by bin/grow-volume of the release.
  export LIFEBOAT_VOLUME_GB="${2-0}"
  write_settings
  if /usr/local/lib/lifeboat/install-release "$1" && /opt/lifeboat/current/bin/serve; then
    rm -f "$environment.before" "$tokens.before"
    exit 0
  fi
  if take_back; then /opt/lifeboat/current/bin/serve; fi
  exit 1
}

# What else cloud-init complains about is none of ours.
wait_for_birth() {
  if cloud-init status --wait >/dev/null || systemctl is-enabled --quiet lifeboat-bootstrap.service; then return 0; fi
  cloud-init status --long >&2
  exit 1
}

write_settings() {
  # First, for the settings name this file, perhaps for the first time.
  printf '%s\n' "$given" | sed '1,/^# tokens$/d; /^# complete$/d' | change "$tokens" 640 $app_group
  lines=$(printf '%s\n' "$given" | sed '/^# tokens$/,$d')
  kept=$(names_given | grep -v -f - "$environment")
  printf '%s\n%s\n' "$kept" "$lines" | sort | change "$environment" 600 0
}

# Older machines have their tokens among the settings.
names_given() {
  printf '%s\n' "$lines" | sed 's/^\([A-Z0-9_]*=\).*/^\1/'
  echo '^LIFEBOAT_API_TOKENS_SHA256='
}

# change FILE MODE GROUP: puts stdin in its place, as a whole. The file from before stays until a run has ended well: what it
# holds is the last that was seen to serve.
change() {
  cat >"$1.next"
  if [ -e "$1" ] && [ "$(sort "$1.next")" = "$(sort "$1")" ]; then rm "$1.next" && return 0; fi
  chgrp "$3" "$1.next"
  chmod "$2" "$1.next"
  sync "$1.next"
  if [ -e "$1" ] && [ ! -e "$1.before" ]; then ln "$1" "$1.before"; fi
  mv "$1.next" "$1"
}

# Ends with 1 if nothing was changed. The settings go first: those from before may not name the tokens' file.
take_back() {
  taken=1
  for file in "$environment" "$tokens"; do
    if [ ! -e "$file.before" ]; then continue; fi
    if [ $taken = 1 ]; then echo "lifeboat: going back to the settings from before" >&2; fi
    mv "$file.before" "$file"
    taken=0
  done
  return $taken
}

main "$@"
