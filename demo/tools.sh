#!/bin/sh
# Looks for what the demo is built with. What Debian has is installed if this is run as root, else named.
set -u
packages=
others=

has() { "$@" > /dev/null 2>&1; }

has cc --version || packages="$packages build-essential"
has python3 -c 'import ensurepip, venv' || packages="$packages python3-venv"
has npm --version || packages="$packages npm"
if [ -n "$packages" ]; then
    if [ "$(id -u)" -eq 0 ] && has apt-get --version; then
        # shellcheck disable=SC2086
        apt-get update -q && apt-get install -q -y --no-install-recommends $packages || exit 1
    else
        others="apt-get install$packages
"
    fi
fi
has cargo --version || others="${others}Rust 1.88 or later: https://rustup.rs
"
has python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || others="${others}Python 3.11 or later
"
has node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || others="${others}Node 20 or later: https://nodejs.org
"
if [ -n "$others" ]; then
    printf 'demo: missing:\n%s' "$others" >&2
    exit 1
fi
