# shellcheck shell=bash
# Removing every trace, also of a run that broke half way. Nothing here believes a pid file: what belongs to a lab is
# found by its cgroups, namespaces, mounts and loop devices, which all carry its name.

down() {
  local start
  start=$(now_ms)
  lock "$LAB_NAME" 5
  if traces; then
    kill_all
    within 15 no_process || die "processes of lab '$LAB_NAME' do not die: $(pids | tr '\n' ' ')"
    remove_cgroups
    remove_nspawn_files
    remove_mounts
    remove_loops
    local ns
    for ns in $(namespaces); do ip netns del "$ns"; done
    ! mounts | grep -q . || die "still mounted: $(mounts | tr '\n' ' ')"
    rm -rf --one-file-system "$RUN"
    say "lab '$LAB_NAME' removed in $(since "$start")"
  fi
  rm -f "$LAB_DIR/run/$LAB_NAME".lock "$LAB_DIR/run/$LAB_NAME"-*.lock
}

traces() { [ -e "$RUN" ] || [ -n "$(namespaces)$(cgroups)$(mounts)$(loops)" ]; }

namespaces() { ip netns list | awk -v lab="refit-$LAB_NAME-" 'index($1, lab) == 1 { print $1 }'; }

cgroups() {
  local tree
  for tree in "${CGROUP_TREES[@]}"; do
    [ ! -d "$tree" ] || find "$tree" -mindepth 1 -maxdepth 1 -type d -name "refit-lab.$LAB_NAME.*"
  done
}

mounts() { awk -v run="$RUN" '$5 == run || index($5, run "/") == 1 { print $5 }' /proc/self/mountinfo; }

loops() { losetup -nl -O NAME,BACK-FILE | awk -v run="$RUN/" 'index($2, run) == 1 { print $1 }'; }

# Everything in the hosts, the systemd-nspawn processes, and what `net` started on the network.
pids() {
  local dir ns
  for dir in $(cgroups); do find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true; done
  for ns in $(namespaces); do ip netns pids "$ns" 2>/dev/null || true; done
}

kill_all() {
  local pid
  # 0 is a process that another pid namespace hides from us; our own shell may stand in none of these.
  for pid in $(pids | sort -un); do
    [ "$pid" = 0 ] || [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null || true
  done
}

no_process() {
  [ -z "$(pids)" ] || {
    kill_all
    return 1
  }
}

remove_cgroups() {
  local dir
  for dir in $(cgroups); do
    within 5 find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || say "could not remove $dir"
  done
}

# systemd-nspawn leaves these behind when it is killed. Before the roots are unmounted: a lock is named by its inode.
remove_nspawn_files() {
  local root
  rm -rf --one-file-system "/run/systemd/nspawn/propagate/refit-$LAB_NAME-"*
  for root in "$RUN"/*/root; do
    [ ! -d "$root" ] || rm -f "/run/systemd/nspawn/locks/$(stat -c 'inode-%d:%i' "$root")"
  done
}

# The kernel lets go of a dead host's mounts a moment after its last process.
remove_mounts() {
  local mount
  for mount in $(mounts | tac); do
    within 5 umount "$mount" 2>/dev/null || umount -l "$mount"
  done
}

remove_loops() {
  local device
  for device in $(loops); do losetup -d "$device" || true; done
}

# Every lab, then the caches.
clean() {
  local name
  for name in $(cd "$LAB_DIR/run" 2>/dev/null && ls); do
    name=${name%%.lock}
    LAB_NAME=${name%%-*} "$LAB_SRC/lab.sh" down
  done
  rm -rf --one-file-system "$LAB_DIR/cache" "$LAB_DIR/run"
  rmdir "$LAB_DIR" 2>/dev/null || true
}
