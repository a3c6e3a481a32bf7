#!/bin/sh
# Waits until the app has failed. Prints its exit code, when it ended (in microseconds since the start) and how long the
# machine is up.
set -eu

until systemctl is-failed --quiet app.service; do sleep 0.1; done
systemctl show --property=ExecMainStatus --value app.service
systemctl show --property=ExecMainExitTimestampMonotonic --value app.service
cut -d' ' -f1 /proc/uptime
