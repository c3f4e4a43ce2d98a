#!/bin/bash
# make demo: installs what it needs, builds, and hands over to refit-demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ "$(id -u)" = 0 ] || { echo "error: the demo makes hosts (namespaces, mounts): run it as root" >&2; exit 2; }
integration/toolchain.sh
integration/lab/lab.sh deps
integration/lab/lab.sh build
cargo build --release --workspace --bins
exec target/release/refit-demo "$@"
