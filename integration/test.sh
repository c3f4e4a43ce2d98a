#!/bin/bash
# All tests, fast ones first: test.sh all|fast|lab [FILTER]. Ends with one line that counts them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}
filter=${2:-}
log=$(mktemp)
hosts=$(mktemp)
more=$(mktemp)
rows=$(mktemp -d)
trap 'rm -rf "$log" "$hosts" "$more" "$rows"' EXIT
# The daemons with fault points in them.
points="--features refit-integration/faults,refit-faults/armed"

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

# Prints the count from the closing lines of every test program, and fails when none ran.
count() {
  awk '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored; exit (passed == 0) }' "$log"
}
finish() {
  local status=$?
  [ -z "${hosts_built:-}" ] || wait "$hosts_built" || true
  # Nobody waits for it any more.
  [ -z "${more_rows:-}" ] || kill -- "-$more_rows" 2>/dev/null || true
  # No host of a scenario outlives the tests.
  for lab in ${labs//,/ }; do
    LAB_NAME=$lab integration/lab/lab.sh down || status=1
  done
  printf '\n== done in %ss\n' "$SECONDS"
  count || status=1
  rm -rf "$log" "$hosts" "$more" "$rows"
  exit "$status"
}
# Rows of the crash matrix that have no verdict yet, for so many seconds.
matrix_for() {
  REFIT_MATRIX_ALL=$rows REFIT_MATRIX_FOR=$1 REFIT_MATRIX_SEED=$seed "${@:2}"
}
# Becomes a command, in a session of its own, that has the processors only while nothing else wants them. For the background.
idly() {
  # shellcheck disable=SC2016
  exec setsid bash -c 'echo 19 >/proc/self/autogroup || true; exec chrt --idle 0 "$@"' idly "$@"
}

labs=
integration/toolchain.sh
trap finish EXIT
# Both samples of the crash matrix, simulated and on real hosts, are drawn from the commit.
seed=$((16#$(git rev-parse --short=7 HEAD 2>/dev/null || echo 7e6)))

if [ "$what" != lab ]; then
  step "packages that tests of the host's files need"
  integration/lab/lab.sh deps
fi
if [ "$what" = all ]; then
  # Needs the network more than cores: goes on beside the compiler.
  integration/lab/lab.sh build >"$hosts" 2>&1 &
  hosts_built=$!
fi
if [ "$what" != lab ]; then
  step "formatting"
  cargo fmt --all -- --check
  step "clippy"
  # In the profile of the tests: procedural macros and build scripts are compiled once for both.
  cargo clippy --quiet --profile simulated --workspace --all-targets --all-features -- -D warnings
  step "unit, property and simulated tests, some thousands of rows of the crash matrix"
  # Compiled with optimisation: the simulated world is ten times as fast, and the lab's programs share that build. With fault points.
  # shellcheck disable=SC2086
  matrix_for 60 cargo test --profile simulated --workspace $points --no-fail-fast 2>&1 | tee -a "$log"
fi
if [ "$what" != fast ]; then
  # One scenario has daemons with fault points in them on its hosts; the tests above were built with them.
  # shellcheck disable=SC2086
  [ "$what" = all ] || cargo build --profile simulated --workspace --bins $points
  mkdir -p target/simulated/armed
  cp target/simulated/refit-controller target/simulated/refit-agent target/simulated/armed/
  step "the lab's packages, root file system and repository"
  if [ "$what" = all ]; then
    wait "$hosts_built" || { cat "$hosts"; exit 1; }
    cat "$hosts"
  else
    integration/lab/lab.sh deps
    integration/lab/lab.sh build
  fi
  step "programs for the lab"
  if [ "$what" = all ]; then
    # shellcheck disable=SC2086
    simulated=$(cargo test --profile simulated --workspace $points --test simulated --no-run 2>&1 | sed -n 's/.*Executable .*(\(.*\))$/\1/p')
  fi
  cargo build --profile simulated --workspace --bins
  # As they are released: no fault point is in them.
  for program in refit refit-controller refit-agent; do
    ! grep -q REFIT_FAULTS "target/simulated/$program" || { echo "$program has fault points in it" >&2; exit 1; }
  done
  grep -q REFIT_FAULTS target/simulated/armed/refit-agent || { echo "the armed agent has no fault points in it" >&2; exit 1; }
  if [ "$what" = all ]; then
    # Scenarios wait more than they reckon.
    (cd integration && matrix_for 1500 idly "../$simulated" whatever_strikes) >"$more" 2>&1 &
    more_rows=$!
  fi
  step "scenarios on real hosts, three at a time"
  labs=${LAB_NAME:-test,test2,test3}
  LAB_NAME=$labs REFIT_LAB_MATRIX_SEED=${REFIT_LAB_MATRIX_SEED:-$seed} \
    cargo test --profile simulated -p refit-integration --features lab --test lab -- --test-threads=3 --show-output $filter 2>&1 | tee -a "$log"
  if [ "$what" = all ]; then
    step "more rows of the crash matrix, run beside the scenarios"
    status=0
    wait "$more_rows" || status=$?
    more_rows=
    tee -a "$log" <"$more"
    exit "$status"
  fi
fi
