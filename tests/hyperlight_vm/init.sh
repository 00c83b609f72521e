#!/bin/busybox sh
# The first process of the virtual machine: mounts, one command, power off. Packed into the initial RAM disk by vm.py.
#
# The root is the outer machine's, read-only, under an overlay in memory. /run/vm is the only shared folder that can be
# written: `command` arrives in it, `status` and `out/` are returned through it.
busybox=/bin/busybox

$busybox echo # the firmware did not end its line
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
while read -r module; do
  $busybox insmod "/modules/$module" || echo "init: the kernel module $module cannot be loaded"
done </modules/order

root=/mnt/root
$busybox mkdir -p /mnt/lower /mnt/memory $root /mnt/shared
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /mnt/lower
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /mnt/shared
$busybox mount -t tmpfs -o size=3g memory /mnt/memory
$busybox mkdir -p /mnt/memory/changes /mnt/memory/work
$busybox mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/memory/changes,workdir=/mnt/memory/work overlay $root

$busybox mkdir -p $root/run/vm
$busybox mount -o bind /mnt/shared $root/run/vm
$busybox mount -t proc proc $root/proc
$busybox mount -t sysfs sys $root/sys
$busybox mount -t devtmpfs dev $root/dev
$busybox mkdir -p $root/dev/shm $root/dev/pts
$busybox mount -t tmpfs memory $root/dev/shm
$busybox mount -t devpts terminals $root/dev/pts
$busybox ifconfig lo 127.0.0.1 up

$busybox chroot $root /bin/bash /run/vm/command
echo $? >/mnt/shared/status
$busybox sync
$busybox poweroff -f
