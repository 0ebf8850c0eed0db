#!/usr/bin/env bash
# The command as `make install-cli` puts it in place: it runs, its pages and completions are read, and uninstall leaves nothing.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/build/cli prefix=$PWD/build/cli/prefix status=0
rm -rf "$work" && mkdir -p "$work"

# verify NAME COMMAND...: that the command succeeds.
verify() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1); then
    echo "ok cli/$name"
  else
    printf 'FAIL cli/%s\n%s\n' "$name" "$out"
    status=1
  fi
}

# prints TEXT COMMAND...: that the command succeeds and says exactly this.
prints() {
  local text=$1 out
  shift
  out=$("$@" 2>&1) && [ "$out" = "$text" ] || { printf 'not %s, but %s\n' "$text" "$out"; return 1; }
}

refuses() {
  local out
  out=$(loadwise check "$work/wrong.yaml" 2>&1)
  [ $? -eq 1 ] && [[ $out == "$work/wrong.yaml:2: strategy: "*"fair"* ]] || { echo "$out"; return 1; }
}

pages() {
  local page
  for page in loadwise loadwise-top loadwise-check loadwise-explain; do
    MANPATH=$prefix/share/man man "$page" | grep -q SYNOPSIS || { echo "$page is no page"; return 1; }
  done
}

if ! make -s -f cli/cli.mk install-cli PREFIX="$prefix" >"$work/install.log" 2>&1; then
  tail -n 20 "$work/install.log"
  echo "FAIL cli/install"
  exit 1
fi
PATH=$prefix/bin:$PATH
printf 'nodes: [a]\n' >"$work/right.yaml"
printf 'nodes: [a]\nstrategy: fair\n' >"$work/wrong.yaml"
verify version prints "loadwise $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" loadwise --version
verify "check of what is right" prints "" loadwise check "$work/right.yaml"
verify "check of what is wrong" refuses
if command -v man >/dev/null; then verify "manual pages" pages; fi
verify "bash completion" bash --norc -c ". $prefix/share/bash-completion/completions/loadwise && complete -p loadwise"
for shell in zsh:zsh/site-functions/_loadwise fish:fish/vendor_completions.d/loadwise.fish; do
  verify "${shell%%:*} completion" grep -q explain "$prefix/share/${shell#*:}"
done
make -s -f cli/cli.mk uninstall-cli PREFIX="$prefix"
verify uninstall prints "" find "$prefix" ! -type d
exit $status
