# shellcheck shell=bash
# A host's data volume: an image file with a file system of its own, mounted in the host at /srv/mysql.
#
#   /srv/mysql/data        the data directory; on btrfs a subvolume
#   /srv/mysql/binlog      binary logs of the hosts that keep them outside the data directory
#   /srv/mysql/snapshots   room for snapshots: same file system, same mount, so subvolume snapshots, reflinks and
#                          renames from and to the data directory all work
#
# It cannot be a part of the overlay: CLONE renames directories, which an overlay's lower layer refuses.

# make_volume HOST FILESYSTEM SIZE
make_volume() {
  local image=$RUN/$1/volume.img mnt=$RUN/$1/volume
  mkdir -p "$mnt"
  truncate -s "$3" "$image"
  case $2 in
    btrfs) mkfs.btrfs -q -K "$image" 2>/dev/null ;; # it prints a NOTE even when quiet
    xfs) mkfs.xfs -q -K -m reflink=1 "$image" ;;
    ext4) mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$image" ;;
    *) die "unknown file system '$2': btrfs, xfs or ext4" ;;
  esac
  mount_volume "$1"
  [ "$2" != btrfs ] || btrfs -q subvolume create "$mnt/data" >/dev/null
  cp -a --sparse=always "$CACHE/datadir/data" "$mnt/"
  mkdir "$mnt/binlog" "$mnt/snapshots"
  chown --reference="$mnt/data" "$mnt/binlog"
  chmod 750 "$mnt/binlog"
  chmod 700 "$mnt/snapshots"
}

# The loop device goes with the last unmount.
mount_volume() { mount -o loop,noatime "$RUN/$1/volume.img" "$RUN/$1/volume"; }
