#!/bin/sh
# The wheel in dist/ installs and runs where there is no Rust, no compiler and no network.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(command -v "${PYTHON:-python3}")
python=$("$python" -c 'import sys; print(sys.executable)')
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

bare() { env -i HOME="$fresh" PATH="$fresh/bin" "$@"; }

bare "$python" -m venv "$fresh/venv"
bare "$fresh/venv/bin/python" -m pip install -q --no-index --only-binary :all: "$root"/dist/loadwise-*.whl
told=$(cd "$fresh" && bare "$fresh/venv/bin/python" -c '
import shutil, loadwise
assert shutil.which("cargo") is None and shutil.which("cc") is None
pool = loadwise.Pool(["10.0.0.1:80", "10.0.0.2:80"], strategy="round_robin", seed=1)
with pool.pick() as p:
    print(p.address)
')
if [ "$told" = 10.0.0.1:80 ]; then
    echo "ok wheel"
else
    echo "FAIL wheel: told \"$told\""
    exit 1
fi
