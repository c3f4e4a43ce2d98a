# shellcheck shell=bash
# The cache that every lab starts from: <LAB_DIR>/cache/<hash of the recipe>/
#
#   root/            Debian sid with MySQL's newest version; lowest layer of every host, never written to
#   layer/<version>/ what installing another version changes in it: the layer above
#   datadir/         an initialised data directory, never started
#   repo/            the apt repository
#   versions         role, package version, declared version: one line each
#   fixtures/        old data directories (only on demand)
#
# A change of this file, repo.sh or interpose.c is another recipe, so another folder.

RECIPE=$(cat "$LAB_SRC/lib/build.sh" "$LAB_SRC/lib/repo.sh" "$LAB_SRC/interpose.c" | sha256sum | cut -c1-12)
CACHE=$LAB_DIR/cache/$RECIPE

ROOT_PACKAGES=mysql-server,mysql-client,systemd,systemd-sysv,dbus,iproute2,iputils-ping,nftables,procps,ca-certificates,less,socat,curl,btrfs-progs

# Units that make no sense in a host without hardware, or that change it by themselves.
MASKED_UNITS=(
  getty.target console-getty.service systemd-logind.service systemd-networkd.service systemd-resolved.service
  dev-hugepages.mount sys-fs-fuse-connections.mount tmp.mount
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
  ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service systemd-firstboot.service
  systemd-pstore.service systemd-hibernate-clear.service
)

build() {
  local fixtures=no
  [ "${1:-}" = --fixtures ] && fixtures=yes
  lock build 900
  [ -d "$CACHE" ] || build_cache
  if [ $fixtures = yes ]; then [ -d "$CACHE/fixtures" ] || build_fixtures; fi
  exec 9>&-
}

need_build() { [ -d "$CACHE" ] || die "nothing is built for this recipe yet: run 'lab.sh build'"; }

versions() {
  need_build
  cat "$CACHE/versions"
}

# version_of ROLE-OR-VERSION: prints the package version.
version_of() {
  need_build
  awk -v want="$1" '$1 == want || $2 == want { print $2; found = 1; exit } END { exit !found }' "$CACHE/versions" ||
    die "unknown version '$1'; there are: $(awk '{ printf "%s (%s) ", $2, $1 }' "$CACHE/versions")"
}

build_cache() {
  local new=$CACHE.new url start role version declared
  start=$(now_ms) url=$(mirror)
  [ -n "$url" ] || die "found no Debian mirror in this machine's apt sources: set LAB_MIRROR"
  say "building the hosts' root file system from $url sid (about a minute; once)"
  rm -rf --one-file-system "$new"
  mkdir -p "$new/debs" "$new/apt" "$new/repo" "$new/layer" "$new/datadir"
  sid_apt "$new/apt" "$url"
  (cd "$new/debs" && APT_CONFIG=$new/apt/apt.conf apt-get download -q mysql-server-core mysql-server >/dev/null)
  plan_versions "$(dpkg-deb -f "$new/debs"/mysql-server_*.deb Version)" >"$new/versions"

  build_root "$new" "$url" &
  local root_pid=$!
  make_repo "$new/debs" "$new/repo" "$new/versions"
  wait $root_pid || die "the root file system could not be made"
  add_repo "$new"
  init_datadir "$new"
  while read -r role version declared; do
    case $role in newest | broken) ;; *) build_layer "$new" "$version" "$declared" ;; esac
  done <"$new/versions"

  rm -rf "$new/debs" "$new/apt" "$new/work"
  mv -T "$new" "$CACHE"
  prune_caches
  say "built in $(since "$start"): $(awk '{ printf "%s=%s ", $1, $2 }' "$CACHE/versions")"
}

# build_root NEW MIRROR
build_root() {
  local unit root=$1/root
  mmdebstrap --quiet --variant=minbase --include="$ROOT_PACKAGES" \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' sid "$root" "deb $2 sid main" >"$1/mmdebstrap.log" 2>&1 ||
    { tail -20 "$1/mmdebstrap.log" >&2 && return 1; }
  for unit in "${MASKED_UNITS[@]}"; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
  rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root/etc/machine-id" "$root"/var/log/mysql/*
  # The data directory is on a volume of its own (volume.sh). The usual path stays as a link.
  rm -rf "$root/var/lib/mysql"
  ln -s /srv/mysql/data "$root/var/lib/mysql"
  mkdir -p "$root/srv/mysql" "$root/srv/repo"
}

# add_repo NEW: the hosts know our repository and nothing else. `copy:` makes apt fetch, check and keep packages in its
# own cache as it does with a server on the network; `file:` would use them in place.
add_repo() {
  install -m 644 "$1/repo/key.gpg" "$1/root/usr/share/keyrings/refit-lab.gpg"
  echo 'deb [signed-by=/usr/share/keyrings/refit-lab.gpg] copy:/srv/repo lab main broken' >"$1/root/etc/apt/sources.list"
  in_root "$1" "" apt-get update -q
}

# in_root NEW LAYER COMMAND...: runs a command in a root file system that is not booted: in layer/LAYER over the root, or
# with an empty LAYER in the root itself. Its mounts end with it.
in_root() {
  local new=$1 layer=$2
  shift 2
  mkdir -p "$new/work/merged" "$new/work/overlay"
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --pid --fork --kill-child -- bash -euc '
    new=$1 root=$1/root; [ -z "$2" ] || root=$new/work/merged
    [ -z "$2" ] || mount -t overlay overlay -o "lowerdir=$new/root,upperdir=$new/layer/$2,workdir=$new/work/overlay" "$root"
    shift 2
    mount --bind "$new/repo" "$root/srv/repo"
    mount --bind "$new/datadir" "$root/srv/mysql"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
  ' lab "$new" "$layer" "$@" >>"$new/in-root.log" 2>&1 || die "failed in the new root file system: $*
$(tail -20 "$new/in-root.log")"
}

# init_datadir NEW: as Debian's mysql-server does it, with a smaller redo log. --initialize writes no binary log, so the
# members of a group can all start from it.
init_datadir() {
  cat >"$1/root/tmp/init.sql" <<'SQL'
USE mysql;
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER 'root'@'localhost' IDENTIFIED WITH 'auth_socket';
CREATE USER 'debian-sys-maint'@'localhost' IDENTIFIED WITH 'auth_socket' AS 'root';
GRANT ALL ON *.* TO 'debian-sys-maint'@'localhost' WITH GRANT OPTION;
SHUTDOWN;
SQL
  in_root "$1" "" sh -ec 'install -d -o mysql -g mysql -m 700 /srv/mysql/data
    mysqld --no-defaults --initialize-insecure --user=mysql --datadir=/srv/mysql/data --init-file=/tmp/init.sql --innodb-redo-log-capacity=64M'
  rm -f "$1/root/tmp/init.sql" "$1/datadir/data/auto.cnf" # every host makes its own server_uuid
  [ -d "$1/datadir/data/mysql" ] || die "mysqld --initialize left no data directory: see $1/in-root.log"
}

# build_layer NEW VERSION DECLARED: what apt changes in the root file system when it installs VERSION. FROZEN makes the
# maintainer scripts leave the data directory alone and start nothing.
build_layer() {
  rm -rf "$1/work/overlay" && mkdir -p "$1/layer/$2"
  in_root "$1" "$2" sh -ec "touch /etc/mysql/FROZEN
    apt-get install -y -q --allow-downgrades mysql-server-core=$2 mysql-server=$2
    rm /etc/mysql/FROZEN; apt-get clean; mysqld --no-defaults --version | grep -F 'Ver $3 '"
}

# Data directories of real older servers, for upgrades of the data dictionary. The package is 340 MB, so on demand.
build_fixtures() {
  local new=$CACHE/fixtures.new zip=./usr/lib/mysql-test/std_data/upgrade/mysql_inplace_upgrade84_lctn0.zip
  rm -rf "$new" && mkdir -p "$new/apt" "$new/tree"
  sid_apt "$new/apt" "$(mirror)"
  (cd "$new" && APT_CONFIG=$new/apt/apt.conf apt-get download -q mysql-testsuite >/dev/null)
  dpkg-deb --fsys-tarfile "$new"/mysql-testsuite_*.deb | tar -x -C "$new/tree" "$zip" "${zip%/*}/data_80018.zip"
  mv "$new/tree/$zip" "$new/datadir-8.4.8.zip"
  mv "$new/tree/${zip%/*}/data_80018.zip" "$new/datadir-8.0.18.zip"
  rm -rf "$new/tree" "$new/apt" "$new"/*.deb
  mv -T "$new" "$CACHE/fixtures"
}

# Caches of other recipes go, unless a lab still stands on them.
prune_caches() {
  local old
  for old in "$LAB_DIR"/cache/*; do
    [ "$old" = "$CACHE" ] || grep -q "lowerdir=[^ ]*$old/" /proc/self/mounts || rm -rf --one-file-system "$old"
  done
}
