#!/usr/bin/env bash
# Install Debian packages that are missing, where we are root; else say what to install:
#   tools/system.sh PURPOSE PACKAGE...
# PROGRAM=PACKAGE asks for a package only where the program is missing, however that was installed.
set -euo pipefail
purpose=$1
shift
missing=()
for wanted in "$@"; do
    package=${wanted#*=}
    if [ "$package" != "$wanted" ]; then
        command -v "${wanted%%=*}" >/dev/null || missing+=("$package")
    else
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    fi
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: $purpose: please run: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "setup: installing ${missing[*]} ($purpose)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null >/dev/null
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
