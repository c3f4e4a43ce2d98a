# shellcheck shell=bash
# Hosts: an overlay over the cached root file system, a data volume, a network namespace, booted by systemd-nspawn.
#
# What a host is on disk, in $RUN/<host>/:
#   root/ (merged) upper/ work/   the overlay        volume.img volume/       its volume
#   address number cuts           facts              nspawn.pid console.log
#
# systemd-nspawn is not asked to register with machined nor to use the machine's cgroups: PID 1 of this machine need not
# be systemd. So a host is entered with nsenter, through its own PID 1 (the leader).

HOST_NAME='^[a-z][a-z0-9-]{0,14}$'

need_lab() { [ -d "$RUN" ] || die "lab '$LAB_NAME' is not up"; }
need_host() { [ -d "$RUN/$1/root" ] || die "lab '$LAB_NAME' has no host '$1'"; }
is_database() { [[ $1 != ctl* ]]; }

hosts() {
  need_lab
  cat "$RUN/hosts"
}
database_hosts() { hosts | grep -v '^ctl' || true; }

host_ip() {
  need_host "$1"
  cat "$RUN/$1/address"
}

up() {
  local names='' prefix=db version=older data=btrfs size=6G disk=ram clock=off binds=() start i n=${1:-}
  [[ $n =~ ^[1-9][0-9]?$ ]] || die "usage: lab.sh up N [OPTIONS]"
  shift
  while [ $# -gt 0 ]; do
    need_args 2 $# "up N $1 VALUE"
    case $1 in
      --names) names=$2 ;;
      --prefix) prefix=$2 ;;
      --version) version=$2 ;;
      --data) data=$2 ;;
      --data-size) size=$2 ;;
      --disk) disk=$2 ;;
      --own-clock) clock=$2 ;;
      --bind-ro) binds+=("$2") ;;
      *) die "unknown option '$1' of up" ;;
    esac
    shift 2
  done
  version=$(version_of "$version")
  start=$(now_ms)
  lock "$LAB_NAME" 5
  [ ! -e "$RUN" ] || die "lab '$LAB_NAME' is up, or was left behind: run 'lab.sh down' first"
  make_room "$disk"
  printf '%s\n' "$(host_names "$n" "$names" "$prefix")" >"$RUN/hosts"
  printf '%s\n' "$version" >"$RUN/version"
  printf '%s %s\n' "$data" "$size" >"$RUN/data"
  printf '%s\n' "${binds[@]}" >"$RUN/binds"
  printf '%s\n' "$clock" >"$RUN/clock"
  i=0
  while read -r name; do
    [[ $name =~ $HOST_NAME ]] || die "'$name' cannot be a host name"
    i=$((i + 1))
    mkdir -p "$RUN/$name"
    address $i >"$RUN/$name/address"
    echo $i >"$RUN/$name/number"
    : >"$RUN/$name/cuts"
  done <"$RUN/hosts"
  make_switch
  mapfile -t names <"$RUN/hosts"
  each make_and_boot "${names[@]}"
  say "${#names[@]} hosts with MySQL $version up in $(since "$start"): ${names[*]}"
}

# make_room ram|file: the folder for all that the hosts write. In memory syncs take 50 to 150 us, as on a good disk, whatever
# else the machine's own disk does, and `down` has nothing to delete.
make_room() {
  mkdir -p "$RUN"
  case $1 in
    ram) mount -t tmpfs -o size=80%,mode=755 refit-lab "$RUN" ;;
    file) mount --bind "$RUN" "$RUN" ;;
    *) die "unknown disk '$1': ram or file" ;;
  esac
  # Shared: every host's mount namespace begins as a copy of ours and hides what it does not need. Without this it would
  # keep the volumes of the others, as they were then, for as long as it lives.
  mount --make-shared "$RUN"
}

# host_names N NAMES PREFIX: one name a line.
host_names() {
  local i
  if [ -n "$2" ]; then
    tr , '\n' <<<"$2"
    [ "$(tr , '\n' <<<"$2" | sort -u | wc -l)" = "$1" ] || die "--names must give $1 different names"
  elif [ "$1" -lt 4 ]; then
    for i in $(seq "$1"); do echo "$3$i"; done
  else
    for i in $(seq $(($1 - 1))); do echo "$3$i"; done
    echo ctl
  fi
}

make_and_boot() {
  make_host "$1"
  boot "$1"
}

make_host() {
  local d=$RUN/$1 root=$RUN/$1/root version lower=$CACHE/root name data size
  version=$(cat "$RUN/version")
  [ ! -d "$CACHE/layer/$version" ] || lower=$CACHE/layer/$version:$lower
  mkdir -p "$d/upper" "$d/work" "$root"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$d/upper,workdir=$d/work" "$root"
  echo "$1" >"$root/etc/hostname"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  {
    echo "127.0.0.1 localhost"
    while read -r name; do echo "$(cat "$RUN/$name/address") $name"; done <"$RUN/hosts"
  } >"$root/etc/hosts"
  plug_in "$1" "$(cat "$d/address")"
  read -r data size <"$RUN/data"
  make_volume "$1" "$data" "$size"
  mkdir -p "$root/var/lib/refit-agent"
  install -d -m 700 "$root/var/lib/private"
  [ "$(cat "$RUN/clock")" != on ] || own_clock "$1"
  if is_database "$1"; then
    my_cnf "$1" >"$root/etc/mysql/mysql.conf.d/zz-production.cnf"
  else
    ln -sf /dev/null "$root/etc/systemd/system/mysql.service"
  fi
}

# Every cgroup hierarchy that nspawn may write to (version 2, or version 1 with the hybrid layout), and version 1's of block devices.
CGROUP_TREES=(/sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup/blkio /sys/fs/cgroup)
cgroup() { echo "refit-lab.$LAB_NAME.$1"; }

# boot HOST: starts it and waits until its start-up jobs are done.
boot() {
  power_on "$1"
  wait_booted "$1"
}

power_on() {
  local d=$RUN/$1 tree bind args
  ! nspawn_pid "$1" >/dev/null || die "$1 is running already"
  mapfile -t args < <(volume_binds "$1")
  while read -r bind; do [ -z "$bind" ] || args+=("--bind-ro=$bind"); done <"$RUN/binds"
  link_cable "$1" up
  # A cgroup of its own in every hierarchy; else all hosts would share one payload group.
  for tree in "${CGROUP_TREES[@]}"; do [ ! -e "$tree/cgroup.procs" ] || mkdir -p "$tree/$(cgroup "$1")"; done
  (
    for tree in "${CGROUP_TREES[@]}"; do
      [ ! -e "$tree/$(cgroup "$1")/cgroup.procs" ] || echo "$BASHPID" >"$tree/$(cgroup "$1")/cgroup.procs"
    done
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    exec setsid systemd-nspawn -q --register=no --keep-unit -b -M "refit-$LAB_NAME-$1" --hostname="$1" -D "$d/root" \
      --network-namespace-path="/run/netns/$(netns "$1")" --console=pipe --link-journal=no --resolv-conf=off \
      --timezone=off --bind-ro="$CACHE/repo:/srv/repo" "${args[@]}" --capability=all --kill-signal=SIGRTMIN+3 \
      >>"$d/console.log" 2>&1 </dev/null 9>&-
  ) &
  echo $! >"$d/nspawn.pid"
}

wait_booted() {
  within 60 leader "$1" >/dev/null || die "$1 did not start: see $RUN/$1/console.log"
  within 120 booted "$1" || die "$1 did not finish booting: see $RUN/$1/console.log"
}

# "degraded" is booted too: a unit failed, which may be what is being tried.
booted() {
  nspawn_pid "$1" >/dev/null || die "$1 died while booting: $(tail -3 "$RUN/$1/console.log")"
  case $(run_in "$1" timeout 5 systemctl is-system-running --wait 2>/dev/null || true) in
    running | degraded) return 0 ;;
    *) return 1 ;;
  esac
}

boot_again() {
  need_args 1 $# "boot HOST [--no-wait]"
  need_host "$1"
  lock "$LAB_NAME-$1"
  power_on "$1"
  [ "${2:-}" = --no-wait ] || wait_booted "$1"
}

# nspawn_pid HOST: the running systemd-nspawn of HOST. A stale pid file is not believed.
nspawn_pid() {
  local pid
  pid=$(cat "$RUN/$1/nspawn.pid" 2>/dev/null) || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "refit-$LAB_NAME-$1" || return 1
  echo "$pid"
}

# leader HOST: its PID 1, as the machine numbers it.
leader() {
  local pid child
  pid=$(nspawn_pid "$1") || return 1
  # shellcheck disable=SC2013 # words of one line
  for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
    if grep -q '^NSpid:.*[[:space:]]1$' "/proc/$child/status" 2>/dev/null; then
      echo "$child"
      return 0
    fi
  done
  return 1
}

# run_in HOST COMMAND...: as root in the host, with a clean environment and this shell's standard streams.
run_in() {
  local pid
  pid=$(leader "$1") || die "$1 is not running"
  shift
  nsenter -t "$pid" -m -u -i -n -p -C -r -w -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

enter() {
  need_args 2 $# "exec HOST COMMAND..."
  need_host "$1"
  run_in "$@"
}

host_shell() {
  need_args 1 $# "shell HOST"
  need_host "$1"
  run_in "$1" script -qc "bash -l" /dev/null
}

# put HOST SRC DST. A file appears under its name complete, so that a running program can be replaced.
put() {
  need_args 3 $# "put HOST SRC DST"
  need_host "$1"
  # shellcheck disable=SC2016 # expanded in the host
  if [ -d "$2" ]; then
    tar -C "$2" -cf - . | run_in "$1" sh -ec 'mkdir -p "$1" && tar -C "$1" -xf - --no-same-owner' put "$3"
  else
    # shellcheck disable=SC2016,SC2094 # expanded in the host; stat only reads
    run_in "$1" sh -ec 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && mv -T "$1.new" "$1"' \
      put "$3" "$(stat -c %a "$2")" <"$2"
  fi
}

get() {
  need_args 3 $# "get HOST SRC DST"
  need_host "$1"
  if run_in "$1" test -d "$2"; then
    mkdir -p "$3"
    run_in "$1" tar -C "$2" -cf - . | tar -C "$3" -xf - --no-same-owner
  else
    run_in "$1" cat "$2" >"$3.new"
    mv -T "$3.new" "$3"
  fi
}

# halt HOST: as a person who presses the button. A slow shutdown of mysqld is waited for.
halt() {
  local pid
  need_host "$1"
  pid=$(nspawn_pid "$1") || return 0
  kill -TERM "$pid"
  within 300 gone "$pid" || die "$1 did not power off in 300 s; 'lab.sh crash $1' pulls the plug"
  link_cable "$1" down
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# crash HOST: the cable first, or the dying processes' connections would be closed in order, which no power loss does.
crash() {
  local pid init
  need_host "$1"
  pid=$(nspawn_pid "$1") || return 0
  init=$(leader "$1") || init=$pid
  link_cable "$1" down
  kill -KILL "$init"
  within 15 gone "$pid" || die "$1 survived the death of its PID 1"
  lose_unwritten "$1"
}

status() {
  local name state mysql
  need_lab
  printf '%-8s %-12s %-9s %-10s %-10s %s\n' HOST ADDRESS POWER MYSQLD VERSION MEMBER
  for name in $(hosts); do
    state=off mysql=-
    if leader "$name" >/dev/null; then
      state=on
      ! is_database "$name" || mysql=$(run_in "$name" systemctl is-active mysql || true)
    fi
    printf '%-8s %-12s %-9s %-10s %s\n' "$name" "$(host_ip "$name")" "$state$([ ! -s "$RUN/$name/cuts" ] || echo ,cut)" "$mysql" \
      "$([ "$mysql" != active ] || member_line "$name")"
  done
}
