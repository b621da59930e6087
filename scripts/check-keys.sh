#!/usr/bin/env bash
# Looks for what looks like a real key of Aurora's, or a private key, in every file that could be committed, and in
# a binary if one is given. Invented keys in tests are shorter, or say so in their first letters.
#
#   scripts/check-keys.sh [BINARY]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Aurora's keys: kind, environment, random letters. Then anything that begins a private key.
readonly LOOKS_LIKE_A_KEY='(sk|rk)_(prod|sand)_[A-Za-z0-9]{16,}|BEGIN ([A-Z]+ )?PRIVATE KEY'

# The scan itself is tested first: it must find an invented one, and must not find what is none.
invented="sk_prod_$(printf 'Ab1%.0s' {1..8})"
if ! grep --quiet --extended-regexp "$LOOKS_LIKE_A_KEY" <<<"key = \"$invented\""; then
    echo "the scan does not find what it looks for" >&2
    exit 1
fi
if grep --quiet --extended-regexp "$LOOKS_LIKE_A_KEY" <<<'key = "sk_prod_..." # rk_sand_short'; then
    echo "the scan finds what is no key" >&2
    exit 1
fi

mapfile -d '' files < <(git ls-files --cached --others --exclude-standard -z)
if ((${#files[@]} == 0)); then
    echo "there is nothing to scan: git names no files" >&2
    exit 1
fi

# Names only: a key that was found must not get into the log of a test.
found=$(grep --files-with-matches --text --no-messages --extended-regexp "$LOOKS_LIKE_A_KEY" -- "${files[@]}" || true)
if [[ -n ${1:-} ]] && grep --quiet --text --extended-regexp 'sk_(prod|sand)_[A-Za-z0-9]{16,}' "$1"; then
    found+=$'\n'$1
fi
found=$(grep --invert-match --line-regexp 'scripts/check-keys.sh' <<<"$found" || true)
if [[ -n $found ]]; then
    printf 'these look as if they held a key:\n%s\n' "$found" >&2
    exit 1
fi
