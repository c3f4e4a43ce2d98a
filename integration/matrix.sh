#!/bin/bash
# The crash matrix: 1,000 kills of the journal, all simulated rows, and, as root, rows on real hosts for REFIT_LAB_MATRIX_FOR
# seconds (six hours). What these very programs have a verdict for is not run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --short=8 HEAD)
mkdir -p target/crash-matrix docs
# The very build of `make test`.
points="--features refit-integration/faults,refit-faults/armed"

kills=target/crash-matrix/journal-$commit
if [ ! -s "$kills" ]; then
  REFIT_JOURNAL_KILLS=${REFIT_JOURNAL_KILLS:-1000} \
    cargo test --profile simulated --workspace $points --test journal_kill -- --nocapture 2>&1 | tee target/crash-matrix/journal.log
  grep '^journal: killed' target/crash-matrix/journal.log > "$kills"
fi
if [ "$(id -u)" = 0 ]; then
  integration/lab/lab.sh deps
  integration/lab/lab.sh build
  cargo build --profile simulated --workspace --bins
  # A row that fails is in the page, too.
  REFIT_LAB_MATRIX_RECORD=$PWD/docs/crash-matrix-lab.jsonl REFIT_LAB_MATRIX_FOR=${REFIT_LAB_MATRIX_FOR:-21600} \
    REFIT_LAB_MATRIX_SEED=${REFIT_LAB_MATRIX_SEED:-$((16#$commit))} REFIT_MATRIX_COMMIT=$commit \
    cargo test --profile simulated -p refit-integration --features lab --test lab -- --nocapture matrix_ || echo "rows on real hosts failed"
fi
REFIT_MATRIX_ALL=$PWD/target/crash-matrix REFIT_MATRIX_PAGE=$PWD/docs/crash-matrix.md REFIT_MATRIX_COMMIT=$commit \
  REFIT_MATRIX_JOURNAL=$(cat "$kills") \
  cargo test --profile simulated --workspace $points --test simulated -- --nocapture whatever_strikes
