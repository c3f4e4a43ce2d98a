#!/bin/bash
# The crash matrix, all simulated rows. Rows that have a verdict from this very program are not run again.
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
REFIT_MATRIX_ALL=$PWD/target/crash-matrix REFIT_MATRIX_PAGE=$PWD/docs/crash-matrix.md REFIT_MATRIX_COMMIT=$commit \
  REFIT_MATRIX_JOURNAL=$(cat "$kills") \
  nice cargo test -p refit-integration --test simulated -- --nocapture whatever_strikes
