#!/usr/bin/env bash
# Compiles and runs every Rust example that loadwise 0.1 was published with, in its README and in its API's
# documentation, against this crate. The examples are taken from the registry each time: none is kept here.
#
#   tests/compat/readme_0_1.sh [PATH_OF_CRATE]        the crate is core/ unless another is given
#
# Without a registry it skips and says so, but fails where CI is set.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
crate=$(cd "${1:-$root/core}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- the published packages ---------------------------------------------------------------------------------------
mkdir -p "$work/published/src"
: > "$work/published/src/lib.rs"
cat > "$work/published/Cargo.toml" <<'TOML'
[workspace]
[package]
name = "published"
version = "0.0.0"
edition = "2024"
[dependencies]
loadwise = "=0.1.0"
loadwise-core = "=0.1.0"
TOML

cd "$work/published"
if ! cargo fetch --quiet --offline 2> /dev/null && ! cargo fetch --quiet 2> "$work/fetch.log"; then
    cat "$work/fetch.log" >&2
    if [ -z "${CI:-}" ] && grep -Eiq "could ?n.t (connect|resolve)|resolve host|timed? ?out|network|connection" "$work/fetch.log"; then
        echo "SKIP readme_0_1: the registry cannot be reached"
        exit 0
    fi
    echo "FAIL readme_0_1: the published packages cannot be fetched" >&2
    exit 1
fi
directory_of() {
    cargo metadata --offline --format-version 1 | grep -Eo '"manifest_path":"[^"]*/'"$1"'-0\.1\.0/Cargo\.toml"' |
        head -n 1 | sed -E 's/^"manifest_path":"(.*)\/Cargo\.toml"$/\1/'
}
readme=$(directory_of loadwise)/README.md
sources=$(directory_of loadwise-core)/src

# --- their examples, one program each -----------------------------------------------------------------------------
mkdir -p "$work/examples/src/bin"
cat > "$work/examples/Cargo.toml" <<TOML
[workspace]
[package]
name = "examples"
version = "0.0.0"
edition = "2024"
[dependencies]
loadwise = { path = "$crate" }
TOML
if [ -f "$root/Cargo.lock" ]; then cp "$root/Cargo.lock" "$work/examples/"; fi

# Reads markdown, writes the body of its n-th Rust block to PREFIX_n.rs. $1: prefix, $2: which fences open a Rust block.
write_programs() {
    awk -v prefix="$1" -v opens="$2" '
        function finish() {
            file = prefix "_" ++n ".rs"
            print "#![allow(unused)]" > file
            if (body ~ /MyNode/) {
                print "struct MyNode { region: &\047static str }" > file
                print "impl loadwise::HealthAware for MyNode {" > file
                print "    fn health_status(&self) -> loadwise::HealthStatus { loadwise::HealthStatus::Healthy }" > file
                print "}" > file
            }
            print "fn main() {\n" body "}" > file
            close(file)
        }
        state == "rust" && /^```/ { finish(); state = ""; next }
        state == "rust"           { sub(/^# /, ""); if ($0 !~ /^extern crate /) body = body $0 "\n"; next }
        state == "other" && /^```/ { state = ""; next }
        state == "" && $0 ~ opens { state = "rust"; body = ""; next }
        state == "" && /^```/     { state = "other" }
    '
}
cd "$work/examples/src/bin"
write_programs readme '^```rust' < "$readme"
while IFS= read -r source; do
    name=doc_$(echo "${source#"$sources"/}" | tr -c 'a-z0-9\n' '_')
    sed -nE 's/^[[:space:]]*\/\/[\/!] ?//p' "$source" | write_programs "${name%_rs}" '^```(rust)?$'
done < <(find "$sources" -name '*.rs' | sort)

expected=$(grep -c '^```rust' "$readme")
found=$(find . -name 'readme_*.rs' | wc -l)
if [ "$found" -eq 0 ] || [ "$found" -ne "$expected" ]; then
    echo "FAIL readme_0_1: $found of the $expected examples of the README were extracted" >&2
    exit 1
fi

# --- compile, run ---------------------------------------------------------------------------------------------------
cd "$work/examples"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/compat_0_1"
cargo build --quiet --bins --keep-going
failed=0
total=0
for source in src/bin/*.rs; do
    name=$(basename "$source" .rs)
    total=$((total + 1))
    if "$CARGO_TARGET_DIR/debug/$name" > "$work/output" 2>&1; then
        echo "ok   $name"
    else
        echo "FAIL $name" && sed 's/^/     /' "$work/output"
        failed=$((failed + 1))
    fi
done
echo "readme_0_1: $((total - failed)) of $total examples of loadwise 0.1 run, $found of them from its README"
[ "$failed" -eq 0 ]
