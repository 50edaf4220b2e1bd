# demo: try everything on this machine.  test: under 20 minutes.  test-long: what takes longer.
PYTHON ?= python3
ENV := scripts/environments.py
PY := .venv/bin/python
# Its scripts look for jlpm, jupyter and python on PATH.
JLPM := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/jlpm
# What runs on a pod or inside a kernel, where Python may be as old as 3.10.
ON_PODS := wire errors files models pod client magic
# Most tests wait for processes and for time: more of them at once than there are cores.
JOBS ?= 3
# Long cuts and samplers want the machine for themselves; 2 is faster.
LONG_JOBS ?= 0
# Other front ends than the newest JupyterLab; `environments.py` knows them too.
FRONTS := lab42 notebook collab

.PHONY: help demo test test-long bench bench-panel lint build pictures environments fronts clean-demo
.DEFAULT_GOAL := help

help:
	@echo "make demo       a pod on this machine and JupyterLab on a notebook that uses it"
	@echo "make test       the tests: Python, TypeScript, browser (under 20 minutes on 2 cores)"
	@echo "make test-long  long cuts, many seeds, big prints, one mutant a rule, samplers in the browser;"
	@echo "                JupyterLab 4.2, Notebook 7 and jupyter-collaboration, each in an environment of its own"
	@echo "make bench      the table of docs/performance.md"
	@echo "make bench-panel  what the front end takes of the page and of the server"
	@echo "make lint       ruff and mypy; tsc, ESLint, prettier and stylelint"
	@echo "make build      wheel and sdist in dist/"
	@echo "make pictures   the panel's states, for the README, in docs/pictures/"

define python_check
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "'$(PYTHON)' is not Python 3.11 or newer. Name one: make $@ PYTHON=/path/to/python3.11"; exit 1; }
endef

demo:
	$(python_check)
	@$(PYTHON) $(ENV) laptop pod sshd frontend
	@$(PY) -m jupyter_remote_gpu.demo.lab --folder .demo --pod-python .venv-pod/bin/python

environments:
	$(python_check)
	@$(PYTHON) $(ENV) laptop pod old sshd frontend ui-tests browser

# Each has its runner's own summary, and none is hidden by an earlier failure.
test: environments
	@failed=; \
	step() { echo "== $$*"; "$$@" || failed="$$failed [$$*]"; }; \
	export PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	step jlpm lint:check; \
	step jlpm test; \
	step $(PY) -m pytest -n $(JOBS) --dist loadfile; \
	cd ui-tests && step jlpm playwright test; \
	step jlpm playwright test --config refill.config.ts --project short; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi

fronts: environments
	@$(PYTHON) $(ENV) fronts

test-long: environments fronts
	@failed=; \
	step() { echo "== $$*"; "$$@" || failed="$$failed [$$*]"; }; \
	export PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	step $(PY) -m pytest -n $(LONG_JOBS) --dist loadgroup -m long; \
	cd ui-tests && step jlpm playwright test --config refill.config.ts --project long; \
	for front in $(FRONTS); do \
	  step env JRG_FRONT=$$front jlpm playwright test --config fronts.config.ts; \
	done; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi

bench:
	$(python_check)
	@$(PYTHON) $(ENV) laptop pod old sshd bench
	$(PY) -m benchmarks

bench-panel:
	$(python_check)
	@$(PYTHON) $(ENV) laptop pod sshd frontend ui-tests browser
	cd ui-tests && export PATH="$(CURDIR)/.venv/bin:$$PATH" && jlpm playwright test --config measures.config.ts \
	  && jlpm playwright test --config refill.config.ts --project measures

lint:
	$(python_check)
	@$(PYTHON) $(ENV) laptop packages ui-tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy --python-version 3.10 $(ON_PODS:%=-p jupyter_remote_gpu.%)
	$(JLPM) lint:check

build:
	$(python_check)
	@$(PYTHON) $(ENV) laptop
	rm -rf dist
	$(PY) -m build --outdir dist

pictures:
	$(python_check)
	@$(PYTHON) $(ENV) laptop frontend ui-tests browser
	cd ui-tests && PATH="$(CURDIR)/.venv/bin:$$PATH" jlpm playwright test --config pictures.config.ts

clean-demo:
	rm -rf .demo
