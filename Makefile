# Two commands: `make demo` and `make test`. Both do all their own set-up.
REPO ?= .
PYTEST_ARGS ?=
BENCH_ARGS ?=
# uv is to trust what the machine trusts, as pip does: companies have authorities of their own.
export UV_SYSTEM_CERTS := 1
# The packages that need browsers, simulators or other heavy libraries have their tests in tests/full/envs.
ENVS := $(wildcard envs/*_env)
HEAVY_ENVS := $(patsubst tests/full/envs/%,envs/%_env,$(wildcard tests/full/envs/*))
PROJECTS := -e .[server,cli,docker,mcp] $(addprefix -e ,$(filter-out $(HEAVY_ENVS),$(ENVS)))
ALL_PROJECTS := -e .[server,cli,docker,engines,coding-smolagents] $(addprefix -e ,$(ENVS))
SOURCES := pyproject.toml tools/setup.sh tools/system.sh $(wildcard envs/*/pyproject.toml requirements/*.txt)

.PHONY: help demo test test-all test-docker images sweep check format lock bench bench-long bench-rest bench-docker bench-full bench-plot clean

help:
	@echo "make demo [REPO=path-or-url]   agents work in a real git repository, eight at a time"
	@echo "make test                      the tests of all that installs quickly"
	@echo "make test-docker               the tests of containers, on a Docker engine of their own; needs root"
	@echo "make images                    every environment's image is built, and played in a hardened container"
	@echo "make test-all                  the rest: browsers, simulators, engines; installs Chromium and Stockfish"
	@echo "make sweep                     what test-all samples, in full: every MiniWoB task, every Gymnasium id"
	@echo "make check                     lint and types"
	@echo "make bench                     the measurements behind the README's numbers, in short"
	@echo "make bench-long                the same at the sizes of the README's tables"
	@echo "make bench-docker              those of containers; installs Docker and, as root, starts an engine of its own"
	@echo "make bench-full                those that need browsers and simulators"
	@echo "make bench-plot                the README's plot, measured anew"

demo: .venv/.ready
	.venv/bin/python examples/git_demo.py $(REPO)

test: .venv/.ready .venv-interop/.ready
	.venv/bin/python -m pytest -n 2 --ignore tests/interop --ignore tests/full --ignore tests/docker $(PYTEST_ARGS)
	.venv-interop/bin/python -m pytest -n 2 tests/interop tests/adapters tests/spaces $(PYTEST_ARGS)

test-docker: .venv/.ready .venv/.engine
	.venv/bin/python -m pytest -n 2 --dist loadscope --ignore tests/docker/every_image tests/docker $(PYTEST_ARGS)

images: .venv-full/.ready .venv/.engine
	.venv-full/bin/python -m pytest -n 2 --dist loadscope tests/docker/every_image $(PYTEST_ARGS)

test-all: test-docker .venv-full/.ready
	.venv-full/bin/python -m pytest -n 2 tests/full $(PYTEST_ARGS)

sweep: .venv-full/.ready
	OPENENV_GYM_SWEEP=all .venv-full/bin/python -m pytest -n 2 tests/full/sweep --timeout 3600 $(PYTEST_ARGS)

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
	.venv/bin/python benchmarks/engines.py
	.venv/bin/python benchmarks/import_cost.py
	.venv/bin/python benchmarks/git_reset.py
	.venv/bin/python benchmarks/coding.py

bench-docker: .venv/.ready .venv/.engine
	PYTHONPATH=. .venv/bin/python benchmarks/containers.py $(BENCH_ARGS)

bench-full: .venv-full/.ready
	.venv-full/bin/python benchmarks/atari.py
	.venv-full/bin/python benchmarks/browsergym_reset.py

bench-plot: .venv/.plots .venv-interop/.ready
	.venv-interop/bin/python benchmarks/throughput.py --long --json benchmarks/throughput.json
	.venv/bin/python benchmarks/plot.py benchmarks/throughput.json benchmarks/throughput.png

.venv/.plots: .venv/.ready
	.venv/bin/uv pip install -q --python .venv/bin/python -c requirements/development.txt --group bench
	touch $@

.venv/.ready: $(SOURCES)
	tools/setup.sh .venv -c requirements/development.txt $(PROJECTS) --group dev

# Docker's engine and what its images are made with; whoever has another edition of the engine keeps it.
.venv/.engine: .venv/.ready
	tools/system.sh "tests of containers" dockerd=docker.io docker=docker.io iptables mmdebstrap ip=iproute2 docker-compose docker-registry runsc
	touch $@

.venv-interop/.ready: $(SOURCES)
	tools/setup.sh .venv-interop -c requirements/interop.txt $(PROJECTS) --group test openenv gymnasium

.venv-full/.ready: $(SOURCES)
	tools/setup.sh .venv-full --system chromium-headless-shell fonts-liberation stockfish -- \
		-c requirements/full.txt $(ALL_PROJECTS) --group test

clean:
	rm -rf .venv .venv-interop .venv-full .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache build dist *.egg-info envs/*/*.egg-info
