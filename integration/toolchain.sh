#!/bin/bash
# Sees that a Rust toolchain is there and new enough, and says how to get one otherwise.
set -euo pipefail
need=1.89
if ! command -v cargo >/dev/null; then
  echo "error: cargo was not found. Refit builds with Rust $need or newer: install it with rustup (https://rustup.rs), then run make again." >&2
  exit 2
fi
have=$(cargo --version | awk '{print $2}')
if [ "$(printf '%s\n' "$need" "$have" | sort -V | head -n 1)" != "$need" ]; then
  echo "error: cargo is $have; Refit needs $need or newer: run 'rustup update stable', then make again." >&2
  exit 2
fi
command -v cc >/dev/null || {
  [ "$(id -u)" = 0 ] || { echo "error: a C compiler is needed: apt-get install gcc libc6-dev" >&2; exit 2; }
  apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev
}
