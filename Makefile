# Two commands: `make demo` and `make test`. Both do all their own set-up.
REPO ?= .
PROJECTS := -e .[server,cli,pettingzoo] -e envs/echo_env -e envs/git_env
SOURCES := pyproject.toml constraints.txt tools/setup.sh $(wildcard envs/*/pyproject.toml)
PYTEST_ARGS ?=

.PHONY: demo test check format bench clean help

help:
	@echo "make demo [REPO=path-or-url]   run agents over a real git repository"
	@echo "make test                      every test"
	@echo "make check                     lint and types"
	@echo "make bench                     the measurements behind the README's numbers"

demo: .venv/.ready
	.venv/bin/python examples/git_demo.py $(REPO)

test: .venv/.ready .venv-interop/.ready
	.venv/bin/python -m pytest -n 2 $(PYTEST_ARGS)
	.venv-interop/bin/python -m pytest -n 2 $(PYTEST_ARGS) tests/interop tests/adapters tests/spaces

check: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/.ready
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/.ready
	.venv/bin/python benchmarks/import_cost.py
	.venv/bin/python benchmarks/git_reset.py

.venv/.ready: $(SOURCES)
	tools/setup.sh .venv -c constraints.txt $(PROJECTS) --group dev

# OpenEnv itself, for the interop tests, beside the oldest gymnasium that trainers pin (ray's rllib).
.venv-interop/.ready: $(SOURCES)
	tools/setup.sh .venv-interop $(PROJECTS) --group test openenv==0.10.0 gymnasium==1.2.2

clean:
	rm -rf .venv .venv-interop .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info envs/*/*.egg-info
