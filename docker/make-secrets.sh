#!/usr/bin/env bash
# Makes the secrets that compose.yaml mounts, each a file of random text, unless it is there already.
#
# The folder is its owner's alone. The files in it are for everybody to read, because the container's user is not
# their owner, and compose mounts them as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

mkdir -p secrets
chmod 700 secrets

# 24 random bytes as 48 hexadecimal digits: nothing to escape, wherever it is pasted.
text() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

# 32 random bytes in base64: what a cipher takes.
cipher_key() {
    head -c 32 /dev/urandom | base64
}

# make_secret NAME HOW
make_secret() {
    if [[ ! -e secrets/$1 ]]; then
        "$2" > "secrets/$1"
        chmod 444 "secrets/$1"
        echo "made docker/secrets/$1"
    fi
}

for name in application_key webhook_secret api_key; do
    make_secret "$name" text
done
make_secret encryption_key cipher_key
