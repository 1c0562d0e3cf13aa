#!/usr/bin/env bash
# Resolve the versions that development and CI install: writes requirements/*.txt. Run it to take newer ones.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
ours=(--no-emit-package openenv-gym)
for project in envs/*_env; do
    name=${project#envs/}
    ours+=(--no-emit-package "openenv-gym-$(tr _ - <<<"${name%_env}")")
done
lock() { # output, then sources and options
    local output=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
        --upgrade "${ours[@]}" "$@" --output-file "$output"
}
quick=() # packages that `make test` installs; the others have their tests in tests/full/envs
for project in envs/*_env; do
    name=${project#envs/}
    [ -d "tests/full/envs/${name%_env}" ] || quick+=("$project/pyproject.toml")
done
sources=(pyproject.toml "${quick[@]}" --extra server --extra cli --extra docker --extra mcp)
lock requirements/development.txt "${sources[@]}" --group dev --group bench
# OpenEnv itself, beside the oldest gymnasium that a supported trainer pins (ray's rllib).
lock requirements/interop.txt "${sources[@]}" --group test - <<<$'openenv==0.10.0\ngymnasium==1.2.2'
lock requirements/full.txt pyproject.toml envs/*_env/pyproject.toml --extra server --extra cli --extra docker --extra engines --extra smolagents --group test
