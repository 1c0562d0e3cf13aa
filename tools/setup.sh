#!/usr/bin/env bash
# Make a virtual environment and install this project into it:
#   tools/setup.sh VENV [--system DEBIAN_PACKAGE... --] [uv pip install arguments...]
# Everything `make` needs beyond git, make and Python is installed here; system packages only where we are root.
set -euo pipefail
venv=$1
shift
system_packages=()
if [ "${1:-}" = --system ]; then
    shift
    while [ "$1" != -- ]; do
        system_packages+=("$1")
        shift
    done
    shift
fi
cd "$(dirname "$0")/.."

python=${PYTHON:-}
for candidate in $python python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
fi

install_system_packages() { # what for, then package names
    local purpose=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing $* ($purpose)"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq </dev/null >/dev/null
        apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null
    else
        echo "setup: $purpose: please run: sudo apt-get install $*" >&2
        return 1
    fi
}

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    install_system_packages "Python's virtual environments" "$version-venv"
fi
if ! command -v bwrap >/dev/null; then
    # The sandbox falls back to Landlock without it, so only the tests insist.
    install_system_packages "the sandbox for hostile commands" bubblewrap || true
fi
missing=()
for package in "${system_packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || install_system_packages "what $venv is for" "${missing[@]}"

export UV_SYSTEM_CERTS=1 # trust what the machine trusts, as pip does: companies have authorities of their own
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
[ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install -q --disable-pip-version-check uv
"$venv/bin/uv" pip install -q --python "$venv/bin/python" "$@"
touch "$venv/.ready"
