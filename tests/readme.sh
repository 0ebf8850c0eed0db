#!/usr/bin/env bash
# The code blocks of README.md, pasted into files and run, against what `make install`, pip and npm put in place.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD work=$PWD/build/readme status=0
rm -rf "$work" && mkdir -p "$work"

# block LANGUAGE: the block of that language.
block() { awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' README.md; }

# runs NAME COMMAND...: the command prints where to connect.
runs() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1) && grep -q '^connect to 10\.0\.0\.[12]:8080$' <<<"$out"; then
    echo "ok $name"
  else
    printf 'FAIL %s\n%s\n' "$name" "$out"
    status=1
  fi
}

rust() {
  mkdir -p "$work/rust/src"
  block rust >"$work/rust/src/main.rs"
  printf '[package]\nname = "pasted"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\nloadwise = { path = "%s/core" }\n[workspace]\n' "$root" \
    >"$work/rust/Cargo.toml"
  cp Cargo.lock "$work/rust/"
  CARGO_TARGET_DIR=$root/target cargo run -q --manifest-path "$work/rust/Cargo.toml"
}

c() {
  make -s install PREFIX="$work/prefix" >"$work/install.log" 2>&1 || { cat "$work/install.log"; return 1; }
  block c >"$work/x.c"
  PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name loadwise.pc)")
  export PKG_CONFIG_PATH
  cc "$work/x.c" $(pkg-config --cflags --libs loadwise) -o "$work/x" || return 1
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir loadwise) "$work/x"
}

python() {
  python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q ./bindings-python || return 1
  block python >"$work/x.py"
  "$work/venv/bin/python" "$work/x.py"
}

node_() {
  mkdir -p "$work/node" && cd "$work/node" || return 1
  printf '{"name": "pasted", "private": true}' >package.json
  (cd "$root/bindings-node" && npm install --no-audit --no-fund >"$work/npm.log" 2>&1) || { cat "$work/npm.log"; return 1; }
  npm install --no-audit --no-fund "$root/bindings-node" >>"$work/npm.log" 2>&1 || { cat "$work/npm.log"; return 1; }
  (cd "$root" && block js) >x.mjs
  node x.mjs
}

runs "README: Rust" rust
runs "README: C" c
runs "README: Python" python
runs "README: Node" node_
exit $status
