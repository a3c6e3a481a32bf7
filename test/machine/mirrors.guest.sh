#!/bin/sh
# Makes two mirrors on the machine's own disk, the only ones it then knows: one of security, one of Debian. Each has a
# newer version of a package that is installed. The packages do what those of Debian do: set what runs as root, make a
# user, change /etc, tell systemd, want a restart.
set -eu

main() {
  rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
  offer flawed Debian-Security trixie-security
  offer plain Debian trixie
  rm /run/reboot-required
}

offer() {
  mkdir -p "/mirrors/$1"
  build "$1" 1 "/tmp/$1.deb"
  dpkg -i "/tmp/$1.deb" >/dev/null
  build "$1" 2 "/mirrors/$1/new.deb"
  cd "/mirrors/$1"
  cat "/tmp/$1/DEBIAN/control" - >Packages <<END
Filename: ./new.deb
Size: $(stat -c %s new.deb)
SHA256: $(sha256sum new.deb | cut -c-64)
END
  cat >Release <<END
Origin: Debian
Label: $2
Suite: stable
Codename: $3
SHA256:
 $(sha256sum Packages | cut -c-64) $(stat -c %s Packages) Packages
END
  echo "deb [trusted=yes] file:/mirrors/$1 ./" >>/etc/apt/sources.list.d/mirrors.list
}

build() {
  mkdir -p "/tmp/$1/DEBIAN" "/tmp/$1/usr/bin"
  cd "/tmp/$1"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: a test\nDescription: a test\n' "$1" "$2" >DEBIAN/control
  cat >DEBIAN/postinst <<END
#!/bin/sh
set -e
useradd --system $1-$2
systemctl daemon-reload
echo $2 >/etc/$1
touch /run/reboot-required
END
  echo "$2" >"usr/bin/$1"
  chmod 755 DEBIAN/postinst
  chmod 4755 "usr/bin/$1"
  dpkg-deb --build --root-owner-group . "$3" >/dev/null
}

main
