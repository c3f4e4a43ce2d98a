# shellcheck shell=bash
# A host's volume: an image file with a file system of its own. What must survive a power loss is on it.
#
#   /srv/mysql/data        the data directory; on btrfs a subvolume
#   /srv/mysql/binlog      binary logs of the hosts that keep them outside the data directory
#   /srv/mysql/snapshots   room for snapshots: same file system, same mount, so subvolume snapshots, reflinks and
#                          renames from and to the data directory all work
#   /var/lib/refit-agent, /var/lib/private (the controller's, which runs as a dynamic user)
#                          state of our own programs, on every host
#
# It cannot be a part of the overlay: CLONE renames directories, which an overlay's lower layer refuses. What lies in memory
# (see make_room) loses nothing less in a power loss than what lies on a disk: see lose_unwritten.

image() { echo "$RUN/$1/volume.img"; }

# make_volume HOST FILESYSTEM SIZE
make_volume() {
  local mnt=$RUN/$1/volume program
  mkdir -p "$mnt"
  truncate -s "$3" "$(image "$1")"
  case $2 in
    btrfs) mkfs.btrfs -q -K "$(image "$1")" >/dev/null ;; # it prints a NOTE even when quiet
    xfs) mkfs.xfs -q -K -m reflink=1 "$(image "$1")" ;;
    ext4) mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$(image "$1")" ;;
    *) die "unknown file system '$2': btrfs, xfs or ext4" ;;
  esac
  mount_volume "$1"
  [ "$2" != btrfs ] || chattr +C "$mnt" # as every database on btrfs has it; new files and directories inherit it
  mkdir "$mnt/state"
  for program in agent controller; do mkdir -m 700 "$mnt/state/$program"; done
  if is_database "$1"; then
    [ "$2" != btrfs ] || { btrfs -q subvolume create "$mnt/data" && chattr +C "$mnt/data"; } >/dev/null
    cp -a --sparse=always "$CACHE/datadir/data" "$mnt/"
    mkdir -m 750 "$mnt/binlog"
    chown --reference="$mnt/data" "$mnt/binlog"
    mkdir -m 700 "$mnt/snapshots"
  fi
  sync -f "$mnt" # a host may lose its power at once
}

# The loop device goes with the last unmount.
mount_volume() { mount -o loop,noatime "$(image "$1")" "$RUN/$1/volume"; }

# unmount_volume HOST: and waits until the file system is really gone. A dead host's mount namespace can hold it for a
# moment, and mounting the image again would then find the old one instead of recovering.
unmount_volume() {
  within 15 umount "$RUN/$1/volume" || die "the volume of $1 is still in use"
  within 15 detached "$1" || die "the image of $1 is still in use"
}
detached() { [ -z "$(losetup -j "$(image "$1")")" ]; }

# volume_binds HOST: systemd-nspawn's options, one a line.
volume_binds() {
  local program
  ! is_database "$1" || echo "--bind=$RUN/$1/volume:/srv/mysql"
  echo "--bind=$RUN/$1/volume/state/agent:/var/lib/refit-agent"
  echo "--bind=$RUN/$1/volume/state/controller:/var/lib/private" # where systemd keeps the state of a DynamicUser
}

# lose_unwritten HOST: what a power loss does to the volume of a host that has just died. Killing the processes is not
# enough, because this machine's kernel would still write their data out.
lose_unwritten() {
  local mnt=$RUN/$1/volume
  if [ "$(stat -f -c %T "$mnt")" = btrfs ]; then
    # What reached the image, as it is now. Nothing in it is overwritten between two commits of the file system, so the
    # copy is whole if no commit fell into it.
    within 20 copy_between_commits "$1" || die "could not copy the image of $1 between two commits"
    unmount_volume "$1"
    mv -T "$(image "$1").crashed" "$(image "$1")"
  else
    xfs_io -x -c shutdown "$mnt" # stop at once, write nothing back, not even the log
    unmount_volume "$1"
  fi
  mount_volume "$1"
}

copy_between_commits() {
  local before
  before=$(superblock "$1")
  cp --sparse=always "$(image "$1")" "$(image "$1").crashed"
  [ "$(superblock "$1")" = "$before" ]
}

superblock() { dd if="$(image "$1")" bs=4096 skip=16 count=1 status=none | sha256sum; }

# slow_volume HOST IOPS|off: what the host's own processes read and write with direct or synchronous calls waits its turn.
slow_volume() {
  local device group limit=$2 v1=0
  need_host "$1"
  [[ $limit =~ ^[1-9][0-9]{0,6}$ || $limit = off ]] || die "slow HOST IOPS: '$limit' is neither a number nor off"
  [ "$limit" != off ] || { limit=max v1=0; }
  [ "$limit" = max ] || v1=$limit
  device=$(lsblk -ndo MAJ:MIN "$(findmnt -no SOURCE "$RUN/$1/volume" | sed 's/\[.*//')" | tr -d ' ')
  if group=/sys/fs/cgroup/blkio/$(cgroup "$1") && [ -d "$group" ]; then
    echo "$device $v1" >"$group/blkio.throttle.read_iops_device"
    echo "$device $v1" >"$group/blkio.throttle.write_iops_device"
  else
    # Version 2: the controller has to be switched on for the hosts' groups first.
    group=/sys/fs/cgroup/$(cgroup "$1")
    echo +io >/sys/fs/cgroup/cgroup.subtree_control
    echo "$device riops=$limit wiops=$limit" >"$group/io.max"
  fi
}
