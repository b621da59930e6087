#!/usr/bin/env bash
# What can be known of docker/ without an engine; see check_docker.py.
#
#   scripts/check-docker.sh            the files
#   scripts/check-docker.sh BINARY     also what that binary needs, and whether it takes the files' settings
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import yaml' 2>/dev/null; then
        exec "$python" "$here/check_docker.py" "$@"
    fi
done
echo "no Python with PyYAML: apt-get install python3-yaml" >&2
exit 1
