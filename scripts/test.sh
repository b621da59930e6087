#!/usr/bin/env bash
# Every check and test, one section after the other. The exit code says whether all passed.
#
#   scripts/test.sh        all
#   scripts/test.sh lint   formats, types and lints only
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Called from make, this must not pass its flags on to the make below.
unset MAKEFLAGS MAKELEVEL MFLAGS

readonly what=${1:-all}
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
readonly binary="$target/debug/heliograph"

source scripts/sections.sh

web() {
    npm --prefix web run --silent "$@"
}

schemathesis() {
    make --no-print-directory "$target/schemathesis/.installed" CARGO_TARGET_DIR="$target" &&
        python3 tests/schemathesis/run.py "$binary" "$target/schemathesis/bin/schemathesis"
}

browser() {
    HELIOGRAPH_BIN=$binary npm --prefix web run --silent e2e
}

clients() {
    HELIOGRAPH_BIN=$binary npm --prefix tests/clients run --silent "$@"
}

section "web: packages" make --no-print-directory web/node_modules/.installed
section "web: format" web format:check
section "web: types" web typecheck
if [[ $what == all ]]; then
    section "web: tests" web test
    section "web: build" make --no-print-directory web
fi
section "keys" scripts/check-keys.sh
section "controls: table" scripts/mutants.py --check
section "rust: format" cargo fmt --check
section "rust: lints" cargo clippy --all-targets --locked -- -D warnings
if [[ $what == all ]]; then
    section "rust: tests" cargo test --locked
    section "rust: binary" cargo build --locked
    section "keys: binary" scripts/check-keys.sh "$binary"
fi
section "clients: packages" make --no-print-directory tests/clients/node_modules/.installed
section "clients: format" clients format:check
section "clients: types" clients typecheck
if [[ $what == all ]]; then
    section "clients: tests" clients test
    section "docker" scripts/check-docker.sh "$binary"
    section "schemathesis" schemathesis
    section "browser" browser
fi

summary
