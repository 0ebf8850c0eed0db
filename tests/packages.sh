#!/usr/bin/env bash
# `make dist`: the wheel and the npm tarballs install and run where there is no Rust.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD work=$PWD/build/packages status=0
rm -rf "$work" dist && mkdir -p "$work"
make -s dist >"$work/dist.log" 2>&1 || { tail -n 40 "$work/dist.log"; echo "FAIL make dist"; exit 1; }
ls dist

# A PATH with everything but Rust.
mkdir -p "$work/bin"
for tool in sh env node npm tar gzip python3 uname ldd; do
  at=$(command -v "$tool") && ln -sf "$(readlink -f "$at")" "$work/bin/$tool"
done
plain=("env" "-i" "HOME=$work" "PATH=$(dirname "$(readlink -f "$(command -v node)")"):/usr/bin:/bin")
if "${plain[@]}" sh -c 'command -v cargo rustc'; then
  echo "FAIL the bare PATH has Rust"
  exit 1
fi

python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q --no-index dist/loadwise-*.whl
if "${plain[@]}" "$work/venv/bin/python" -c "
import loadwise
with loadwise.Pool(['a', 'b']) as pool, pool.pick() as p:
    assert p.address in 'ab'
"; then echo "ok wheel"; else echo "FAIL wheel"; status=1; fi
licences=$(python3 -m zipfile -l dist/loadwise-*.whl | grep -c 'LICENSE-')
if [ "$licences" -ge 2 ]; then echo "ok wheel has its licences"; else echo "FAIL wheel has $licences licence files"; status=1; fi

mkdir -p "$work/app" && cd "$work/app" && printf '{"name": "app", "private": true}' >package.json
"${plain[@]}" npm install --offline --no-audit --no-fund "$root"/dist/*.tgz >npm.log 2>&1 || cat npm.log
for form in "const { Pool } = require('loadwise'); run(Pool)" "import('loadwise').then(({ Pool }) => run(Pool))"; do
  if "${plain[@]}" node -e "
    const run = (Pool) => { const pool = new Pool({ nodes: ['a', 'b'] }); const p = pool.pick(); if (!'ab'.includes(p.address)) throw p; p.success(); };
    $form"; then echo "ok npm: ${form%%(*}"; else echo "FAIL npm: $form"; status=1; fi
done
exit $status
