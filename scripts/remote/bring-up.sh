#!/bin/sh
# bring-up SHA256 [GB]: runs on the machine, as root, sent by `pulumi up`. Brings it to a release, to the size of its
# volume and to the settings on stdin: lines as in /etc/lifeboat/environment, after "# tokens" those of
# /etc/lifeboat/tokens, after "# edge" those of /etc/lifeboat/edge, and at the end "# complete". Reverts what does not
# get ready. A second run changes nothing. A change of tokens or of the edge alone does not restart the app.
set -eu
umask 077
environment=/etc/lifeboat/environment
tokens=/etc/lifeboat/tokens
edge=/etc/lifeboat/edge
# A fixed number (cloud-init/bootstrap/etc/sysusers.d): at the birth, the group may still have to be made.
app_group=980

main() {
  exec 8>/run/lifeboat-bring-up.lock
  flock 8
  # A separate process prints the messages: a process that writes to a broken connection is killed, and the way back
  # must not be.
  exec 3>&2 2>/run/lifeboat-bring-up.log
  tail --pid=$$ --sleep-interval=0.1 --lines=+1 --follow /run/lifeboat-bring-up.log >&3 8>&- &
  given=$(cat)
  case $given in *"# complete") ;; *) echo "lifeboat: the settings were cut off on their way" >&2 && exit 1 ;; esac
  wait_for_birth
  # Read by bin/grow-volume of the release.
  export LIFEBOAT_VOLUME_GB="${2-0}"
  write_settings
  if /usr/local/lib/lifeboat/install-release "$1" && /opt/lifeboat/current/bin/serve; then
    for file in "$environment" "$tokens" "$edge"; do rm -f "$file.before" "$file.made"; done
    exit 0
  fi
  if take_back; then /opt/lifeboat/current/bin/serve; fi
  exit 1
}

# Other complaints of cloud-init do not concern us.
wait_for_birth() {
  if cloud-init status --wait >/dev/null || systemctl is-enabled --quiet lifeboat-bootstrap.service; then return 0; fi
  cloud-init status --long >&2
  exit 1
}

write_settings() {
  # First, because the settings name this file, perhaps for the first time.
  printf '%s\n' "$given" | sed '1,/^# tokens$/d; /^# edge$/,$d' | change "$tokens" 640 $app_group
  printf '%s\n' "$given" | sed '1,/^# edge$/d; /^# complete$/d' | change "$edge" 600 0
  lines=$(printf '%s\n' "$given" | sed '/^# tokens$/,$d')
  kept=$(names_given | grep -v -f - "$environment")
  printf '%s\n%s\n' "$kept" "$lines" | sort | change "$environment" 600 0
}

# Older machines have their tokens among the settings.
names_given() {
  printf '%s\n' "$lines" | sed 's/^\([A-Z0-9_]*=\).*/^\1/'
  echo '^LIFEBOAT_API_TOKENS_SHA256='
}

# change FILE MODE GROUP: replaces the file by stdin atomically. The earlier file is kept until a run has succeeded: it
# is the last one that was known to work. FILE.made says that there was none.
change() {
  cat >"$1.next"
  if [ -e "$1" ] && [ "$(sort "$1.next")" = "$(sort "$1")" ]; then rm "$1.next" && return 0; fi
  chgrp "$3" "$1.next"
  chmod "$2" "$1.next"
  sync "$1.next"
  if [ ! -e "$1.before" ] && [ ! -e "$1.made" ]; then
    if [ -e "$1" ]; then ln "$1" "$1.before"; else : >"$1.made"; fi
  fi
  mv "$1.next" "$1"
}

# Ends with 1 if nothing was changed. The settings are reverted first: the earlier ones may not name the tokens file.
take_back() {
  taken=1
  for file in "$environment" "$tokens" "$edge"; do
    if [ ! -e "$file.before" ] && [ ! -e "$file.made" ]; then continue; fi
    if [ $taken = 1 ]; then echo "lifeboat: going back to the settings from before" >&2; fi
    if [ -e "$file.before" ]; then mv "$file.before" "$file"; else rm -f "$file" && rm "$file.made"; fi
    taken=0
  done
  return $taken
}

main "$@"
