#!/bin/bash
# make bench: builds, and hands over to refit-bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ "$(id -u)" = 0 ] || { echo "error: the benchmark makes hosts (namespaces, mounts): run it as root" >&2; exit 2; }
integration/toolchain.sh
integration/lab/lab.sh deps
integration/lab/lab.sh build
cargo build --release --workspace --bins
exec target/release/refit-bench "$@"
