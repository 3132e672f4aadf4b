#!/bin/bash
# recipe.sh FOLDER PYTHON REQUIREMENT... — makes a bootable Debian 12 with Docker in FOLDER:
# disk.ext4, vmlinuz, initrd and the ssh key `id`. Needs root.
set -euo pipefail
folder=$1 python=$2
shift 2
root=$folder/root
trap 'rm -rf "$root"' EXIT

# apparmor: without it `docker run` fails under this kernel. git and recommends are not needed.
debootstrap --variant=minbase --include=\
systemd-sysv,dbus,udev,iproute2,linux-image-cloud-amd64,docker.io,apparmor,iptables,openssh-server,python3,busybox-static,quota,xfsprogs \
    bookworm "$root" "${DS01_DEBIAN_MIRROR:-http://deb.debian.org/debian}"

ssh-keygen -q -t ed25519 -N '' -f "$folder/id"
install -Dm600 "$folder/id.pub" "$root/root/.ssh/authorized_keys"
echo ds01-host >"$root/etc/hostname"
: >"$root/etc/fstab"
printf '[Match]\nName=en*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' \
    >"$root/etc/systemd/network/10.network"
mkdir -p "$root/etc/docker"
echo '{"exec-opts":["native.cgroupdriver=systemd"]}' >"$root/etc/docker/daemon.json"
chroot "$root" systemctl --quiet enable systemd-networkd
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service \
    apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer

# The platform's own dependencies for the Python inside, whatever Python runs here.
"$python" -m pip install --quiet --target "$root/opt/ds01/lib" --no-compile --only-binary :all: \
    --python-version 3.11 --implementation cp \
    --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 "$@"
chroot "$root" python3 -m compileall -q -j 0 /opt/ds01/lib

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp "$root"/boot/initrd.img-* "$folder/initrd"
# Sparse: what nobody writes takes no room here. The gateway wants 2 GiB free for images.
mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$folder/disk.ext4" 16G
