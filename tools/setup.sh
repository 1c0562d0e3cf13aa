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

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    tools/system.sh "Python's virtual environments" "$version-venv"
fi
# The sandbox falls back to Landlock without it, so only the tests insist.
tools/system.sh "the sandbox for hostile commands" bwrap=bubblewrap || true
[ ${#system_packages[@]} = 0 ] || tools/system.sh "what $venv is for" "${system_packages[@]}"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
[ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install -q --disable-pip-version-check uv
"$venv/bin/uv" pip install -q --python "$venv/bin/python" "$@"
touch "$venv/.ready"
