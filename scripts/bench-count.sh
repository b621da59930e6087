#!/usr/bin/env bash
# Counts the instructions of a cached answer, through the edges and without them, with valgrind's callgrind: where a
# busy machine hides microseconds, instructions stay what they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v valgrind >/dev/null; then
    echo "this needs valgrind: apt-get install valgrind" >&2
    exit 1
fi

# As the bench counts itself.
readonly REQUESTS=200

bench=$(cargo bench --locked --bench edges --no-run --message-format json |
    sed -n 's/.*"name":"edges".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)

# instructions PART FUNCTION: of one request, in that function and all that it calls.
instructions() {
    local out
    out=$(mktemp)
    BENCH_COUNT=$1 valgrind --quiet --tool=callgrind --callgrind-out-file="$out" --toggle-collect="edges::$2" \
        "$bench" --bench >/dev/null 2>&1
    local total
    total=$(sed -n 's/^totals: //p' "$out")
    rm -f "$out"
    if ((total < REQUESTS * 1000)); then
        echo "nothing was counted in $2: is its name in the binary still that?" >&2
        return 1
    fi
    echo $((total / REQUESTS))
}

whole=$(instructions whole counted_whole)
execution=$(instructions execution counted_execution)
printf 'instructions of a cached summary: %d, of which execution and its JSON %d\n' "$whole" "$execution"
printf 'edges and guard add %d\n' $((whole - execution))
