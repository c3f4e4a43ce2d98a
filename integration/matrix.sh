#!/bin/bash
# The crash matrix, all of it: matrix.sh [lab]. Rows that have a verdict from this very program are not run again.
# With "lab" some rows are played on real hosts first (root): REFIT_LAB_ROWS of them, drawn with REFIT_LAB_SEED.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --short HEAD)
mkdir -p target/crash-matrix docs

kills=target/crash-matrix/journal-$commit
if [ ! -s "$kills" ]; then
  REFIT_JOURNAL_KILLS=${REFIT_JOURNAL_KILLS:-1000} \
    cargo test -p refit-controller --test journal_kill -- --nocapture 2>&1 | tee target/crash-matrix/journal.log
  grep '^journal: killed' target/crash-matrix/journal.log > "$kills"
fi
if [ "${1:-}" = lab ]; then
  integration/lab/lab.sh deps
  integration/lab/lab.sh build
  cargo build --workspace --bins
  REFIT_LAB_ROWS=${REFIT_LAB_ROWS:-5} REFIT_LAB_SEED=${REFIT_LAB_SEED:-$((16#$commit))} \
    REFIT_LAB_KEEP=$PWD/docs/crash-matrix-lab.jsonl \
    cargo test -p refit-integration --features lab --test lab -- --test-threads=1 --nocapture rows_of_the_crash_matrix
fi
REFIT_MATRIX_ALL=$PWD/target/crash-matrix REFIT_MATRIX_PAGE=$PWD/docs/crash-matrix.md REFIT_MATRIX_COMMIT=$commit \
  REFIT_MATRIX_JOURNAL=$(cat "$kills") \
  nice cargo test -p refit-integration --test simulated -- --nocapture whatever_strikes
