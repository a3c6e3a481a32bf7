#!/bin/sh
# machine-root.sh DIRECTORY SYSTEM INIT...: runs over the files of a system in fresh namespaces; turns them into a
# machine and becomes its process 1.
set -eu

base=$1
system=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=$system,upperdir=$base/upper,workdir=$base/work" "$base/root"
cd "$base/root"
mount -t proc proc proc
mount --bind -o ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for directory in dev run tmp; do mount -t tmpfs tmpfs $directory; done
for node in null zero full random urandom tty; do touch dev/$node && mount --bind /dev/$node dev/$node; done
mkdir -p dev/disk/by-id dev/pts dev/shm dev/mqueue run/lock
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t mqueue mqueue dev/mqueue
# Remove the units that this computer starts, so that only the requested ones start.
rm -rf etc/systemd/system lib/systemd/system/*.wants lib/systemd/system-generators/* etc/fstab
mkdir etc/systemd/system
ip link set lo up
mkdir run/old
pivot_root . run/old
umount -l /run/old
touch /run/machine-root
exec "$@"
