# shellcheck shell=bash
# Paths, messages and bounded waits. Everything else is sourced after this.

PROJECT=$(cd "$LAB_SRC/../.." && pwd)
LAB_DIR=${LAB_DIR:-$PROJECT/.lab}
LAB_NAME=${LAB_NAME:-lab}
# shellcheck disable=SC2034 # used by the others
RUN=$LAB_DIR/run/$LAB_NAME # all state of this lab; one folder per host in it

say() { echo "lab: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# Names end up in mount options, cgroup names and namespaces, and `down` finds its things by them.
[[ $LAB_NAME =~ ^[a-z][a-z0-9]{0,15}$ ]] || die "LAB_NAME '$LAB_NAME' must be 1 to 16 lower-case letters and digits"
[[ $LAB_DIR =~ ^/[A-Za-z0-9_./-]+$ ]] || die "LAB_DIR '$LAB_DIR' must be an absolute path of plain characters (it is a mount option)"

as_root() { [ "$(id -u)" = 0 ] || die "must run as root: it boots hosts"; }
need_args() { [ "$2" -ge "$1" ] || die "usage: lab.sh $3"; }

now_ms() { echo $(($(date +%s%N) / 1000000)); }
since() { echo "$(($(now_ms) - $1)) ms"; }

# within SECONDS COMMAND...: polls until the command succeeds; fails when the time is over.
within() {
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

# each FUNCTION ITEM...: runs FUNCTION ITEM for all items side by side; fails when one of them failed.
each() {
  local f=$1 item pid failed=0 pids=()
  shift
  for item in "$@"; do
    "$f" "$item" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

# One lab is changed by one command at a time. The descriptor is closed in every host (see boot).
lock() {
  mkdir -p "$LAB_DIR/run"
  exec 9>"$LAB_DIR/run/$1.lock"
  flock -w "${2:-60}" 9 || die "another lab.sh is busy with '$1'"
}
