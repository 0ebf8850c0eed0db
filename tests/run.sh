#!/usr/bin/env bash
# All checks, one after another. Ends with `N passed, N failed`; a check that lacks a tool prints SKIP and how to get it,
# and fails where CI is set. Each check's output is shown when it fails, and kept in build/test/.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/test
passed=0 failed=0 skipped=0 failures=()

# check NAME COMMAND...: counts the cases that the command's output reports, or the command itself.
check() {
  local name=$1 log=build/test/${1// /-}.log status=0 ok bad skips seconds=$SECONDS
  shift
  "$@" >"$log" 2>&1 || status=$?
  read -r ok bad skips < <(tests/count.awk "$log")
  if [ "$skips" -gt 0 ]; then
    grep '^SKIP' "$log"
    skipped=$((skipped + skips))
    [ -n "${CI:-}" ] && bad=$((bad + skips))
  fi
  [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  [ "$status" -eq 0 ] && [ $((ok + bad + skips)) -eq 0 ] && ok=1
  passed=$((passed + ok)) failed=$((failed + bad))
  if [ "$bad" -gt 0 ]; then
    failures+=("$name")
    echo "FAIL $name ($ok passed, $bad failed, $((SECONDS - seconds)) s)"
    tail -n 60 "$log" | sed 's/^/    /'
  else
    echo "ok   $name ($ok passed, $((SECONDS - seconds)) s)"
  fi
}

# needs TOOL "HOW TO GET IT": whether a tool is there; says so if not.
needs() {
  command -v "$1" >/dev/null && return 0
  echo "SKIP $1 is missing: $2"
  skipped=$((skipped + 1))
  [ -n "${CI:-}" ] && failed=$((failed + 1)) && failures+=("$1 is missing")
  return 1
}

check "style" tests/style.sh
check "lint" make -s lint
check "dependencies of core" tests/dependencies.sh
check "rust" make -s rust
check "programs of loadwise 0.1" tests/compat/readme_0_1.sh
check "loom" make -s loom
check "command" make -s test-cli
needs cc "apt-get install gcc g++" && check "header" make -s header-check && check "c" make -s test-c
needs python3 "apt-get install python3 python3-venv" && check "python" make -s test-python && check "python stubs" make -s stub-check && check "metrics texts" make -s test-metrics
needs npm "https://nodejs.org: Node 20" && check "node" make -s test-node && check "real sockets" make -s test-sockets
needs npm "https://nodejs.org: Node 20" && check "kill" make -s kill
needs nginx "apt-get install nginx nginx-dev libnginx-mod-stream" && check "nginx" make -s test-nginx
check "readme" tests/readme.sh
check "packages" tests/packages.sh
check "demo" tests/demo.sh

[ ${#failures[@]} -gt 0 ] && printf 'failed: %s\n' "${failures[@]}"
[ "$skipped" -gt 0 ] && echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
