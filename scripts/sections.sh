# For scripts that run one check after the other: each under a heading with its duration. A failed section does not keep
# the others from running; `summary` says how many passed, and fails if one did not.

passed=()
failed=()

# section NAME COMMAND...: runs the command under a heading.
section() {
    local name=$1 began=$SECONDS
    shift
    printf '\n── %s\n   %s\n' "$name" "$*"
    if "$@"; then
        passed+=("$name")
        printf '── %s: ok, %d s\n' "$name" $((SECONDS - began))
    else
        failed+=("$name")
        printf '── %s: FAILED, %d s\n' "$name" $((SECONDS - began))
    fi
}

summary() {
    printf '\n%d sections passed, %d failed, %d s\n' "${#passed[@]}" "${#failed[@]}" "$SECONDS"
    if ((${#failed[@]} > 0)); then
        printf '  failed: %s\n' "${failed[@]}" >&2
        exit 1
    fi
}
