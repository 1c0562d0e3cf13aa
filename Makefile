# Two commands: `make demo` and `make test`. Both do all their own set-up.
REPO ?= .
PYTEST_ARGS ?=
PROJECTS := -e .[server,cli] -e envs/echo_env -e envs/git_env
SOURCES := pyproject.toml tools/setup.sh $(wildcard envs/*/pyproject.toml requirements/*.txt)

.PHONY: help demo test check format lock bench bench-long bench-rest bench-plot clean

help:
	@echo "make demo [REPO=path-or-url]   agents work in a real git repository, eight at a time"
	@echo "make test                      every test"
	@echo "make check                     lint and types"
	@echo "make bench                     the measurements behind the README's numbers, in short"
	@echo "make bench-long                the same at the sizes of the README's tables"
	@echo "make bench-plot                the README's plot, measured anew"

demo: .venv/.ready
	.venv/bin/python examples/git_demo.py $(REPO)

test: .venv/.ready .venv-interop/.ready
	.venv/bin/python -m pytest -n 2 --ignore tests/interop $(PYTEST_ARGS)
	.venv-interop/bin/python -m pytest -n 2 tests/interop tests/adapters tests/spaces $(PYTEST_ARGS)

check: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/.ready
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: .venv/.ready
	tools/lock.sh

bench: .venv/.ready .venv-interop/.ready
	.venv-interop/bin/python benchmarks/throughput.py
	.venv-interop/bin/python benchmarks/latency.py
	.venv-interop/bin/python benchmarks/pixels.py
	.venv-interop/bin/python benchmarks/sleepers.py
	$(MAKE) bench-rest

bench-long: .venv/.ready .venv-interop/.ready
	.venv-interop/bin/python benchmarks/throughput.py --long
	.venv-interop/bin/python benchmarks/latency.py --rounds 9 --seconds 1
	.venv-interop/bin/python benchmarks/pixels.py --rounds 5 --seconds 2
	.venv-interop/bin/python benchmarks/sleepers.py --long
	$(MAKE) bench-rest

bench-rest: .venv/.ready .venv-interop/.ready
	.venv-interop/bin/python benchmarks/partial_receive.py
	.venv-interop/bin/python benchmarks/reconnect.py
	.venv-interop/bin/python benchmarks/memory.py
	.venv/bin/python benchmarks/workers.py
	.venv/bin/python benchmarks/import_cost.py
	.venv/bin/python benchmarks/git_reset.py

bench-plot: .venv/.plots .venv-interop/.ready
	.venv-interop/bin/python benchmarks/throughput.py --long --json benchmarks/throughput.json
	.venv/bin/python benchmarks/plot.py benchmarks/throughput.json benchmarks/throughput.png

.venv/.plots: .venv/.ready
	.venv/bin/uv pip install -q --python .venv/bin/python -c requirements/development.txt --group bench
	touch $@

.venv/.ready: $(SOURCES)
	tools/setup.sh .venv -c requirements/development.txt $(PROJECTS) --group dev

.venv-interop/.ready: $(SOURCES)
	tools/setup.sh .venv-interop -c requirements/interop.txt $(PROJECTS) --group test openenv gymnasium

clean:
	rm -rf .venv .venv-interop .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info envs/*/*.egg-info
