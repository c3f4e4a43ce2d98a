#!/bin/bash
# All tests, fast ones first: test.sh all|fast|lab [FILTER]. Ends with one line that counts them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}
filter=${2:-}
log=$(mktemp)
hosts=$(mktemp)
trap 'rm -f "$log" "$hosts"' EXIT

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
  # No host of a scenario outlives the tests.
  for lab in ${labs//,/ }; do
    LAB_NAME=$lab integration/lab/lab.sh down || status=1
  done
  printf '\n== done in %ss\n' "$SECONDS"
  count || status=1
  rm -f "$log" "$hosts"
  exit "$status"
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
  rows=$(mktemp -d)
  step "unit, property and simulated tests, some thousands of rows of the crash matrix"
  # Compiled with optimisation: the simulated world is ten times as fast, and the lab's programs share that build. With fault points.
  REFIT_MATRIX_ALL=$rows REFIT_MATRIX_FOR=180 REFIT_MATRIX_SEED=$seed \
    cargo test --profile simulated --workspace --features refit-integration/faults,refit-faults/armed \
    --no-fail-fast 2>&1 | tee -a "$log"
  rm -rf "$rows"
fi
if [ "$what" != fast ]; then
  # One scenario has daemons with fault points in them on its hosts; the tests above were built with them.
  [ "$what" = all ] || cargo build --profile simulated --workspace --bins --features refit-integration/faults,refit-faults/armed
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
  cargo build --profile simulated --workspace --bins
  # As they are released: no fault point is in them.
  for program in refit refit-controller refit-agent; do
    ! grep -q REFIT_FAULTS "target/simulated/$program" || { echo "$program has fault points in it" >&2; exit 1; }
  done
  grep -q REFIT_FAULTS target/simulated/armed/refit-agent || { echo "the armed agent has no fault points in it" >&2; exit 1; }
  step "scenarios on real hosts, two at a time"
  labs=${LAB_NAME:-test,test2}
  LAB_NAME=$labs REFIT_LAB_MATRIX_SEED=${REFIT_LAB_MATRIX_SEED:-$seed} \
    cargo test --profile simulated -p refit-integration --features lab --test lab -- --test-threads=2 --show-output $filter 2>&1 | tee -a "$log"
fi
