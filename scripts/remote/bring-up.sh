#!/bin/sh
# bring-up SHA256 [GB [PREVIOUS]]: run as root on the machine. `pulumi up` sends it by SSH; in a release it is run by
# take-settings, with the release that ran before. It installs the release, grows the filesystem to the size of the
# volume, and writes the settings from stdin: the lines of /etc/lifeboat/environment, "# tokens", the lines of
# /etc/lifeboat/tokens, "# edge", the lines of /etc/lifeboat/edge, "# settings-key", the line of
# /etc/lifeboat/settings-key, "# complete". If the machine does not get ready, it goes back to the release and the
# settings from before. It ends with 100 when it has touched nothing. A second run changes nothing. New tokens or a new
# edge alone do not restart the app.
set -eu
umask 077
environment=/etc/lifeboat/environment
tokens=/etc/lifeboat/tokens
edge=/etc/lifeboat/edge
settings_key=/etc/lifeboat/settings-key
# The number and not the name: on a new machine the bootstrap may not have made the group yet
# (sysusers.d/lifeboat.conf).
app_group=980

main() {
  if [ -z "${LIFEBOAT_DEPLOY-}" ]; then come_by_ssh; fi
  given=$(cat)
  case $given in *"# complete") ;; *) echo "lifeboat: the settings were cut off on their way" >&2; exit 100 ;; esac
  demand_sections
  wait_for_birth
  # Read by bin/grow-volume of the release.
  export LIFEBOAT_VOLUME_GB="${2-0}"
  stage_all
  # Before the settings, which may name these files for the first time.
  for file in "$tokens" "$edge" "$settings_key" "$environment"; do swap "$file"; done
  code=0
  install "$1" "${3-}" || code=$?
  if [ $code = 0 ]; then
    for file in "$environment" "$tokens" "$edge" "$settings_key"; do rm -f "$file.before" "$file.made"; done
    exit 0
  fi
  if take_back; then
    /opt/lifeboat/current/bin/serve
    exit 1
  fi
  # No settings had changed, so only the release was touched, or not.
  exit $code
}

# By the bucket another version may have sent them. A section that is not known would end up in the file before it, and a
# file whose section is missing would be emptied.
demand_sections() {
  known='# tokens|# edge|# settings-key|# complete'
  sections=$(printf '%s\n' "$given" | grep '^#' | paste -sd '|')
  if [ "$sections" = "$known" ]; then return 0; fi
  echo "lifeboat: refused: the settings came with the sections \"$sections\", and this release knows \"$known\"; next: npm run deploy, then npm run up" >&2
  exit 100
}

# By the bucket run-deploy has done the same.
come_by_ssh() {
  exec 8>/run/lifeboat-bring-up.lock
  flock 8
  # If the connection breaks, whoever writes to it is killed. So messages go to a file, which another process prints:
  # this script must live to go back.
  exec 3>&2 2>/run/lifeboat-bring-up.log
  tail --pid=$$ --sleep-interval=0.1 --lines=+1 --follow /run/lifeboat-bring-up.log >&3 8>&- &
}

# By the bucket the release must also be able to hear of the next one.
install() {
  if [ -n "${LIFEBOAT_DEPLOY-}" ]; then /opt/lifeboat/current/bin/deploy-release "$1" "$2"; else
    /usr/local/lib/lifeboat/install-release "$1" && /opt/lifeboat/current/bin/serve
  fi
}

# cloud-init also fails over things that are none of ours. What counts is whether it has installed the bootstrap.
wait_for_birth() {
  if cloud-init status --wait >/dev/null || systemctl is-enabled --quiet lifeboat-bootstrap.service; then return 0; fi
  cloud-init status --long >&2 || :
  exit 100
}

# All of them before one is used: on a full disk nothing must be half done.
stage_all() {
  # Behind || the shell would go on after a failure.
  set +e
  (
    set -e
    render_all
  )
  staged=$?
  set -e
  if [ $staged = 0 ]; then return 0; fi
  for file in "$environment" "$tokens" "$edge" "$settings_key"; do rm -f "$file.next"; done
  echo "lifeboat: refused: the settings cannot be written; next: look at the machine's own disk (df -h), then run up again" >&2
  exit 100
}

render_all() {
  printf '%s\n' "$given" | sed '1,/^# tokens$/d; /^# edge$/,$d' | stage "$tokens" 640 $app_group
  printf '%s\n' "$given" | sed '1,/^# edge$/d; /^# settings-key$/,$d' | stage "$edge" 600 0
  printf '%s\n' "$given" | sed '1,/^# settings-key$/d; /^# complete$/d' | stage "$settings_key" 600 0
  lines=$(printf '%s\n' "$given" | sed '/^# tokens$/,$d')
  kept=$(names_given | grep -v -f - "$environment")
  printf '%s\n%s\n' "$kept" "$lines" | sort | stage "$environment" 600 0
}

# Older machines have their tokens among the settings.
names_given() {
  printf '%s\n' "$lines" | sed 's/^\([A-Z0-9_]*=\).*/^\1/'
  echo '^LIFEBOAT_API_TOKENS_SHA256='
}

# stage FILE MODE GROUP: writes stdin beside the file, unless that has the same lines.
stage() {
  cat >"$1.next"
  if [ -e "$1" ] && [ "$(sort "$1.next")" = "$(sort "$1")" ]; then rm "$1.next" && return 0; fi
  chgrp "$3" "$1.next"
  chmod "$2" "$1.next"
  sync "$1.next"
}

# swap FILE: replaces the file by what was staged. The first .before stays until a run succeeds: it is the last file that
# is known to work. FILE.made says that there was none.
swap() {
  if [ ! -e "$1.next" ]; then return 0; fi
  if [ ! -e "$1.before" ] && [ ! -e "$1.made" ]; then
    if [ -e "$1" ]; then ln "$1" "$1.before"; else : >"$1.made"; fi
  fi
  mv "$1.next" "$1"
}

# Puts the files from before back. Ends with 1 if there are none. Settings first: the old ones may not name the file of
# tokens.
take_back() {
  taken=1
  for file in "$environment" "$tokens" "$edge" "$settings_key"; do
    if [ ! -e "$file.before" ] && [ ! -e "$file.made" ]; then continue; fi
    if [ $taken = 1 ]; then echo "lifeboat: going back to the settings from before" >&2; fi
    if [ -e "$file.before" ]; then mv "$file.before" "$file"; else rm -f "$file" && rm "$file.made"; fi
    taken=0
  done
  return $taken
}

main "$@"
