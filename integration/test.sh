#!/bin/bash
# All tests, fast ones first: test.sh all|fast|lab [FILTER]. Ends with one line that counts them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}
filter=${2:-}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

# Prints the count from the closing lines of every test program, and fails when none ran.
count() {
  awk '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored; exit (passed == 0) }' "$log"
}
finish() {
  local status=$?
  printf '\n== done in %ss\n' "$SECONDS"
  count || status=1
  rm -f "$log"
  exit "$status"
}

integration/toolchain.sh
trap finish EXIT

if [ "$what" != lab ]; then
  step "packages that tests of the host's files need"
  integration/lab/lab.sh deps
  step "formatting"
  cargo fmt --all -- --check
  step "clippy"
  cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings
  if [ "$what" = fast ]; then
    step "unit, property and simulated tests, a sample of the crash matrix"
    cargo test --workspace --no-fail-fast 2>&1 | tee -a "$log"
  else
    step "unit and property tests"
    cargo test --workspace --exclude refit-integration --no-fail-fast 2>&1 | tee -a "$log"
    cargo test -p refit-integration --lib --bins --test every_check --test files_of_people --test fuzz --no-fail-fast 2>&1 | tee -a "$log"
    step "simulated tests, some thousands of rows of the crash matrix"
    rows=$(mktemp -d)
    commit=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 7e6)
    REFIT_MATRIX_ALL=$rows REFIT_MATRIX_FOR=180 REFIT_MATRIX_SEED=$((16#$commit)) \
      cargo test --profile simulated -p refit-integration --test simulated --no-fail-fast 2>&1 | tee -a "$log"
    rm -rf "$rows"
  fi
fi
if [ "$what" != fast ]; then
  step "the lab's packages, root file system and repository"
  integration/lab/lab.sh deps
  integration/lab/lab.sh build
  step "programs for the lab"
  cargo build --workspace --bins
  step "scenarios on real hosts"
  cargo test -p refit-integration --features lab --test lab -- --test-threads=1 --nocapture $filter 2>&1 | tee -a "$log"
fi
