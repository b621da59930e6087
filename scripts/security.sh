#!/usr/bin/env bash
# What guards the gateway and is too slow for every change: dependencies judged by cargo-deny, each control switched off
# in turn, operations made up by the thousand, and keys looked for in what is shipped. Everything runs on this machine;
# only what is missing is fetched. A section that fails does not keep the others from running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Called from make, this must not pass its flags on to the make below.
unset MAKEFLAGS MAKELEVEL MFLAGS

# The version that deny.toml was written for.
readonly CARGO_DENY=0.20.2

# Operations for each field of the schema; `make test` has 30.
readonly EXAMPLES=500

target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
readonly binary="$target/release/heliograph"

source scripts/sections.sh

dependencies() {
    local deny="$target/tools/bin/cargo-deny"
    if [[ $("$deny" --version 2>/dev/null) != *" $CARGO_DENY" ]]; then
        cargo install --quiet --locked --root "$target/tools" --version "$CARGO_DENY" cargo-deny || return 1
    fi
    "$deny" --log-level error check bans licenses sources
}

schemathesis() {
    make --no-print-directory "$target/schemathesis/.installed" CARGO_TARGET_DIR="$target" &&
        python3 tests/schemathesis/run.py "$binary" "$target/schemathesis/bin/schemathesis" "$EXAMPLES" "$RANDOM"
}

section "binary" make --no-print-directory build
section "keys" scripts/check-keys.sh "$binary"
section "dependencies" dependencies
section "schemathesis" schemathesis
section "controls" scripts/mutants.py
summary
