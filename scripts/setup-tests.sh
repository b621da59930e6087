#!/usr/bin/env bash
# Sees to the tools that `make test` needs. Debian packages are installed where root, or sudo without a
# password, allows it. Whatever is missing after that is named, and the script fails: a test that cannot run
# has not passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What Vite asks for.
readonly NODE_AT_LEAST=20.19.0

# As the browser tests choose it.
readonly CHROMIUM_BINARY="${CHROMIUM:-/usr/bin/chromium}"

missing=()
packages=()

has() {
    command -v "$1" >/dev/null 2>&1
}

# need COMMAND HOW: the command must be there, and nothing here can install it.
need() {
    has "$1" || missing+=("$1: $2")
}

# need_package PACKAGE TEST...: the test must succeed, and Debian's package makes it so.
need_package() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}

reads_yaml() {
    python3 -c 'import yaml' || /usr/bin/python3 -c 'import yaml'
}

is_new_enough() {
    printf '%s\n%s\n' "$NODE_AT_LEAST" "$1" | sort --check=quiet --version-sort
}

install_packages() {
    local apt=(apt-get)
    if ! has apt-get; then
        return 1
    fi
    if [[ $(id -u) != 0 ]]; then
        sudo -n true 2>/dev/null || return 1
        apt=(sudo -n apt-get)
    fi
    echo "installing Debian packages: ${packages[*]}"
    "${apt[@]}" update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --yes --quiet --quiet --no-install-recommends "${packages[@]}"
}

need cargo "install Rust from https://rustup.rs"
need npm "install Node.js $NODE_AT_LEAST or newer, with npm"
if has node; then
    version=$(node --version)
    is_new_enough "${version#v}" || missing+=("node: $version is too old; install $NODE_AT_LEAST or newer")
else
    missing+=("node: install Node.js $NODE_AT_LEAST or newer")
fi
if has cargo; then
    cargo fmt --version >/dev/null 2>&1 || missing+=("rustfmt: rustup component add rustfmt")
    cargo clippy --version >/dev/null 2>&1 || missing+=("clippy: rustup component add clippy")
fi

# SQLite, the allocator and the cryptography are compiled from C.
need_package build-essential has cc
need_package chromium test -x "$CHROMIUM_BINARY"
# A machine whose clock is wrong.
need_package faketime has faketime
# Whether a delivery is synced before it is acknowledged is seen from outside the process.
need_package strace has strace
# Schemathesis has its Python packages in a place of its own.
need_package python3-venv python3 -c 'import venv, ensurepip'
# The check of docker/compose.yaml reads YAML.
need_package python3-yaml reads_yaml

if ((${#packages[@]} > 0)) && ! install_packages; then
    missing+=("Debian packages: apt-get install ${packages[*]}   (as root; elsewhere, what they stand for)")
elif [[ ! -x $CHROMIUM_BINARY ]]; then
    missing+=("chromium: there is none at $CHROMIUM_BINARY; set CHROMIUM to where it is")
fi

if ((${#missing[@]} > 0)); then
    echo "the tests cannot run, for want of:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
fi
