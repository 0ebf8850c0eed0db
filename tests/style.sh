#!/usr/bin/env bash
# What the reader of a file may rely on: one idea a file, no path of somebody's machine, nothing left open.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0
report() { [ -z "$2" ] && echo "ok $1" || { printf 'FAIL %s:\n%s\n' "$1" "$2"; status=1; }; }
sources=$(git ls-files '*.rs' '*.c' '*.h' '*.hpp' '*.cpp' '*.py' '*.pyi' '*.js' '*.mjs' '*.ts' '*.sh' | grep -v '^include/loadwise.h$')

report "no file is longer than 700 lines" "$(wc -l $sources | awk '$2 != "total" && $1 > 700')"
report "nothing is left open" "$(grep -nE 'todo!\(|unimplemented!\(|#\[ignore|TODO|FIXME' $sources | grep -v '^tests/style.sh')"
report "no machine's paths" "$(git ls-files | grep -v -e '^tests/style.sh$' -e '\.lock$' | xargs grep -nE '/(home|root|work)/[a-z.]' -- | head -5)"
unsafe_rooms='^(core/src/(state/arena|segment/file|vocabulary/fork)\.rs|core/tests/|ffi/|bindings-node/|bindings-python/|bench/|fuzz/|xtask/)'
report "unsafe only where memory is mapped and at the borders" "$(grep -nE '\bunsafe\b (impl|fn|\{|extern)|unsafe\(' $(git ls-files '*.rs') | grep -vE "$unsafe_rooms")"
exit $status
