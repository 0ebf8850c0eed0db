#!/bin/sh
# The demo in short: the same programs, servers and mishaps, in about fifteen seconds after building.
set -u
cd "$(dirname "$0")/.." || exit 1
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM

DEMO_SECONDS=${DEMO_SECONDS:-6} DEMO_RATE=${DEMO_RATE:-80} make -s demo > "$output" 2>&1
status=$?
state=$(grep -o '/dev/shm/loadwise-demo-[0-9]*' "$output" | head -n 1)
if [ "$status" -eq 0 ] && grep -Eq '^demo: [1-9][0-9]* requests, 0 failed, nothing left in flight$' "$output" &&
    [ -n "$state" ] && [ ! -e "$state" ]; then
    sed -n 's/^demo: without/SKIP demo: without/p' "$output"
    echo "ok demo"
else
    cat "$output"
    echo "FAIL demo"
    exit 1
fi
