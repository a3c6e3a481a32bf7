#!/bin/sh
# Process 1 of the virtual machine of grow-ext4.test.ts, which reads on the console what it says here. When it fails, the kernel
# panics and the machine ends.
set -eu

main() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev
  find_volume
  mkfs.ext4 -q -L lifeboat /dev/sda
  mkdir /data
  mount -o noatime,nodev,nosuid,noexec /dev/sda /data
  head -c 32M /dev/urandom >/data/held
  sha256sum /data/held >/held.sha256
  write_rows &
  writer=$!

  grow 1
  echo "guest: growing"
  grow 2
  grow 2

  touch /enough
  code=0
  wait $writer || code=$?
  echo "guest: end writer $code"
  umount /data
  echo "guest: end check $(e2fsck -fn /dev/sda >/dev/null 2>&1 && echo clean || echo damaged)"
  mount -o ro /dev/sda /data
  echo "guest: end held $(sha256sum --check /held.sha256 2>&1)"
  if [ "$(cat /data/rows)" = "$(seq "$(count_rows)")" ]; then echo "guest: end rows complete"; fi
  echo o >/proc/sysrq-trigger
  sleep 60
}

find_volume() {
  for module in scsi_common scsi_mod virtio_scsi sd_mod; do
    insmod /lib/modules/*/kernel/drivers/scsi/$module.ko*
  done
  tries=0
  until [ -b /dev/sda ] || [ $tries -eq 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  # As udev would.
  mkdir /dev/block
  ln -s ../sda "/dev/block/$(cat /sys/class/block/sda/dev)"
}

# grow GB
grow() {
  code=0
  words=$(LIFEBOAT_VOLUME_GB=$1 /opt/lifeboat/current/bin/grow-volume 2>&1) || code=$?
  echo "guest: step code $code, $(($(stat -f -c '%b * %S' /data))) bytes, $(count_rows) rows, said: $words"
}

# Keeps its file open, as the app keeps its database.
write_rows() {
  row=0
  while [ ! -e /enough ]; do
    row=$((row + 1))
    echo $row
    sleep 0.05
  done >/data/rows
}

count_rows() {
  wc -l </data/rows
}

main
