#!/usr/bin/env bash
# Makes the secrets that compose.yaml mounts, each a file of random text, unless it is there already.
#
# The folder is its owner's alone. The files in it are for everybody to read, because the container's user is not
# their owner, and compose mounts them as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

mkdir -p secrets
chmod 700 secrets
for name in application_key webhook_secret api_key; do
    if [[ ! -e secrets/$name ]]; then
        # 24 random bytes as 48 hexadecimal digits: nothing to escape, wherever it is pasted.
        od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "secrets/$name"
        chmod 444 "secrets/$name"
        echo "made docker/secrets/$name"
    fi
done
