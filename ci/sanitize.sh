#!/usr/bin/env bash
# ThreadSanitizer and AddressSanitizer over the core's tests and the C programs. Nightly switches on the stable compiler,
# for these commands alone.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1

echo "== ThreadSanitizer: pools under threads, and under processes with one state"
RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR=target/tsan \
  TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp halt_on_error=1" \
  cargo test --locked -p loadwise --target "$target" --test pool --test stress --test shared

echo "== AddressSanitizer: the core"
RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/asan cargo test --locked -p loadwise --target "$target" --lib --test pool --test stress --test shared

echo "== undefined-behaviour checks, shuffled layouts"
RUSTFLAGS="-Zrandomize-layout -Zub-checks=yes -Cdebug-assertions" CARGO_TARGET_DIR=target/ub cargo test --locked -p loadwise --lib --test pool

if [ -x tests/c/asan.sh ]; then
  echo "== AddressSanitizer: C programs"
  tests/c/asan.sh
fi
