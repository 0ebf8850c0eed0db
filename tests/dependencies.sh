#!/usr/bin/env bash
# The core depends on little: no async runtime, no tracing, no metrics crate, and not many crates at all.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$(cargo tree --locked -p loadwise -e normal,no-proc-macro --prefix none --target x86_64-unknown-linux-gnu | awk '{print $1}' | sort -u)
if found=$(grep -E '^(tokio|async-std|smol|futures.*|mio|tracing.*|log|metrics.*|prometheus|opentelemetry.*|hyper|reqwest)$' <<<"$tree"); then
  echo "FAIL core depends on" $found
  exit 1
fi
echo "ok no runtime, tracing or metrics crate"
count=$(wc -l <<<"$tree")
if [ "$count" -gt 40 ]; then
  printf '%s\n' "$tree"
  echo "FAIL core has $count crates in its tree, more than 40"
  exit 1
fi
echo "ok $count crates in the tree"
