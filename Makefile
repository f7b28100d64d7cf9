# The two commands of a newcomer are `make serve` and `make test`; `make` alone lists the rest.
#
# Every target sets up what it needs and skips what is already there: a virtual environment holds stamp files, one for
# its tools and one for the package, and both are made again when the files that they were made from change.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
SHELL := /bin/sh

PYTHON ?= python3
# Where the compiled and the uncompiled package are installed.
VENV ?= .venv
PURE ?= .venv-pure
# Processes that run the tests: three for each processor, because most tests wait for a server and for time to pass.
JOBS ?= $(shell expr 3 '*' $$(nproc 2>/dev/null || echo 1))
# More arguments for pytest: make test ARGS="tests/unit -k framing"
ARGS ?=
# Where the example is served.
BIND ?= 127.0.0.1:8000

# The environment's packages and the server under test are the only ones that count.
unexport PYTHONPATH PYTHONHOME INDRIK_CMD_ARGS GUNICORN_CMD_ARGS
# Half of what collecting the tests costs is compiling them, in each process anew.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_REQUIRE_VIRTUALENV := 1

STARTED := $(shell date +%s)
LOCK := $(shell command -v flock >/dev/null && echo flock build/.lock)
SOURCES := $(shell find src -name __pycache__ -prune -o -name '*.egg-info' -prune -o \
	\( -type d -o -name '*.py' -o -name '*.pxd' -o -name '*.json' -o -name py.typed \) -print)
GEVENT_REQUIREMENTS := tests/requirements-gevent.txt
REQUIREMENTS := tests/requirements.txt $(wildcard examples/*/requirements.txt)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# $(call environment,folder,compiled or uncompiled,INDRIK_PURE,remark): the rules of one virtual environment.
define environment
$(1)/.stamp-venv:
	@tools/preflight $$(PYTHON) $(2)
	@echo "== virtual environment in $(1)"
	@$$(PYTHON) -m venv --clear $(1)
	@touch $$@

$(1)/.stamp-tools: $(1)/.stamp-venv pyproject.toml $$(REQUIREMENTS) $$(GEVENT_REQUIREMENTS)
	@mkdir -p build
	@echo "== tools and test requirements in $(1)"
	@$(1)/bin/pip install -q 'setuptools>=77' 'cython>=3.3'
	@INDRIK_PURE=1 $$(LOCK) $(1)/bin/pip install -q --no-build-isolation \
		'.[dev,setproctitle,reload,paste]' $$(REQUIREMENTS:%=-r %)
	@# A step of its own: httpbin asks for an old greenlet on an old Python, which only a server of its own needs.
	@$(1)/bin/pip install -q --no-warn-conflicts -r $$(GEVENT_REQUIREMENTS)
	@touch $$@

$(1)/.stamp-package: $(1)/.stamp-tools setup.py $$(SOURCES)
	@tools/preflight $(1)/bin/python $(2)
	@mkdir -p build
	@echo "== indrik, $(2), in $(1)$(4)"
	@INDRIK_PURE=$(3) $$(LOCK) $(1)/bin/pip install -q --no-build-isolation --no-deps --force-reinstall .
	@touch $$@
endef

$(eval $(call environment,$(VENV),compiled,0,: compiling takes two minutes))
$(eval $(call environment,$(PURE),uncompiled,1,))

.PHONY: build
build: $(VENV)/.stamp-package ## Install the compiled package as .venv/bin/indrik

.PHONY: serve
serve: $(VENV)/.stamp-package ## Serve the example on http://127.0.0.1:8000
	@cd examples/guestbook && exec $(abspath $(VENV))/bin/indrik --bind $(BIND) app:app

.PHONY: test test-compiled test-uncompiled
# What is compiled in neither build (NEVER_COMPILED in tests/conftest.py) is tested once. A part that was asked for
# may be nothing else.
test: ONCE := $(if $(ARGS),,--skip-never-compiled)
test: test-compiled test-uncompiled ## Run every test, compiled and uncompiled
	@echo "== all tests passed, compiled and uncompiled, in $$(( $$(date +%s) - $(STARTED) )) s"

# What fails among thousands of others, on all processors, runs once more by itself, one after the other: then it
# has the machine to itself, and a fault that is one shows again. Both runs are seen.
define run_tests
status=0; $(1) -n $(JOBS) --dist worksteal $(2) -o cache_dir=$(3) --cache-clear || status=$$?; \
if [ $$status -eq 1 ]; then \
	echo "== what has failed, once more by itself"; \
	$(1) $(2) -o cache_dir=$(3) --last-failed --last-failed-no-failures=none --maxfail=1 || exit 1; \
	echo "== passed by itself, failed among the others: see above"; \
elif [ $$status -ne 0 ]; then exit $$status; fi
endef

# What some tests run beside the server, and where it is then found.
PROGRAMS := /usr/sbin/nginx=nginx-light /usr/lib/nginx/modules/ngx_stream_module.so=libnginx-mod-stream \
	/usr/bin/chromium=chromium /usr/bin/chromedriver=chromium-driver

.PHONY: programs
programs:
	@tools/debian-packages $(PROGRAMS)

test-compiled: programs $(VENV)/.stamp-package ## Run every test on the compiled package
	@echo "== tests, compiled"
	@$(call run_tests,$(VENV)/bin/pytest,--build=compiled $(ARGS),build/pytest-compiled)

test-uncompiled: programs $(PURE)/.stamp-package ## Run every test on the uncompiled package
	@echo "== tests, uncompiled"
	@$(call run_tests,$(PURE)/bin/pytest,--build=uncompiled $(ONCE) $(ARGS),build/pytest-uncompiled)

.PHONY: lint
lint: $(VENV)/.stamp-package ## ruff, mypy strict, layers, derived files, links, settings without behaviour
	@failed=; check() { echo "== $$1"; shift; "$$@" || failed=1; }; \
	check "ruff" $(VENV)/bin/ruff check .; \
	check "mypy" $(VENV)/bin/mypy; \
	check "layers, derived files, pages, front door, build" $(VENV)/bin/pytest -q tests/repo; \
	check "settings that are not supported yet" $(VENV)/bin/python -m indrik.config.derived --unsupported; \
	if [ -n "$$failed" ]; then echo "make: lint failed, see above" >&2; exit 1; fi

.PHONY: matrix
matrix: ## Run every test on each python3.1x found on PATH or under pyenv
	@found=$$(tools/find-pythons | tr ' ' =); failed=; \
	[ -n "$$found" ] || { echo "make: no python3.1x found on PATH or under pyenv" >&2; exit 1; }; \
	for entry in $$found; do \
		echo "== Python $${entry%%=*}"; \
		$(MAKE) --no-print-directory test PYTHON="$${entry#*=}" VENV=.venv-matrix/$${entry%%=*}-compiled \
			PURE=.venv-matrix/$${entry%%=*}-uncompiled || failed="$$failed $${entry%%=*}"; \
	done; \
	[ -z "$$failed" ] || { echo "make: tests failed on Python$$failed, see above" >&2; exit 1; }
	@echo "== all tests passed on each Python found, in $$(( $$(date +%s) - $(STARTED) )) s"

# Where the site's own tools are installed.
DOCS ?= .venv-docs

$(DOCS)/.stamp-venv:
	@tools/preflight $(PYTHON) docs
	@echo "== virtual environment in $(DOCS)"
	@$(PYTHON) -m venv --clear $(DOCS)
	@touch $@

$(DOCS)/.stamp-tools: $(DOCS)/.stamp-venv docs/requirements.txt
	@echo "== tools of the documentation in $(DOCS)"
	@$(DOCS)/bin/pip install -q -r docs/requirements.txt
	@touch $@

.PHONY: docs
docs: $(DOCS)/.stamp-tools ## Build the documentation as a site, into build/docs; a warning or a broken link fails
	@echo "== documentation"
	@$(DOCS)/bin/python -m docsite build/docs --work build/docs-work
	@echo "== no warning and no broken link: open build/docs/index.html"

.PHONY: docs-look
docs-look: docs ## Look at each page of the site in Chromium, wide and narrow, light and dark
	@$(DOCS)/bin/python -m docsite.look build/docs --pictures build/docs-look

# Seconds for each harness, and their names (all if empty).
FUZZ_SECONDS ?= 600
FUZZ ?=

.PHONY: fuzz
fuzz: $(VENV)/.stamp-package $(PURE)/.stamp-package ## Fuzz both builds, FUZZ_SECONDS for each harness (see fuzz/README.md)
	@$(PURE)/bin/pip install -q -r fuzz/requirements.txt
	@$(PURE)/bin/python -m fuzz --uncompiled $(abspath $(PURE))/bin/python --compiled $(abspath $(VENV))/bin/python \
		--seconds $(FUZZ_SECONDS) $(FUZZ)

# The tests that call compiled code in their own process. Of the fuzzers the short run.
SANITIZED := $(wildcard $(addprefix tests/unit/,protocol engine gateway scoreboard fuzz) tests/wire)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Python does not return all of its memory at its end, which is no leak of ours. PYTHONMALLOC: objects must come from the
# allocator that is watched.
asan: export ASAN_OPTIONS := detect_leaks=0:abort_on_error=1
asan: export UBSAN_OPTIONS := print_stacktrace=1
asan: export PYTHONMALLOC := malloc

.PHONY: asan
asan: $(VENV)/.stamp-tools ## Run the tests of the compiled modules under AddressSanitizer and UBSan
	@rm -rf build/asan && mkdir -p build/asan && cp -r src setup.py pyproject.toml README.md LICENSE build/asan
	@echo "== indrik, sanitized, in build/asan/site"
	@cd build/asan && env -u ASAN_OPTIONS -u PYTHONMALLOC INDRIK_PURE=0 CFLAGS="-g1 -O0 $(SANITIZERS)" LDFLAGS="$(SANITIZERS)" \
		$(abspath $(VENV))/bin/pip install -q --no-build-isolation --no-deps --target site .
	@echo "== tests, sanitized"
	@PYTHONPATH=build/asan/site LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		$(VENV)/bin/python -m pytest -p no:xdist --build=compiled $(SANITIZED) $(ARGS)

.PHONY: bench
bench: $(VENV)/.stamp-package ## Compare with other servers (ARGS: see bench/README.md)
	@$(VENV)/bin/python -m bench $(ARGS)

.PHONY: budget
budget: $(VENV)/.stamp-package ## Count the instructions of a request by stage, beside their budgets (ARGS: --write)
	@$(VENV)/bin/python -m bench.budget $(ARGS)

.PHONY: conformance
conformance: $(VENV)/.stamp-package ## Measure the HTTP of other servers and write docs/reference/http.md
	@$(VENV)/bin/python -m conformance
	@$(VENV)/bin/python -m conformance.page --write

.PHONY: dist
dist: $(VENV)/.stamp-tools ## Build the sdist, and from it the wheel, into dist/
	@$(LOCK) $(VENV)/bin/python -m build --no-isolation --outdir dist .

RELEASE := .venv-release

$(RELEASE)/.stamp-tools: release/requirements.txt release/requirements-build.txt
	@tools/preflight $(PYTHON)
	@echo "== tools of a release in $(RELEASE)"
	@$(PYTHON) -m venv --clear $(RELEASE)
	@$(RELEASE)/bin/pip install -q -r release/requirements.txt
	@touch $@

.PHONY: wheels
wheels: $(RELEASE)/.stamp-tools ## Build and try out what is published: the sdist and a wheel for each Python, in dist/
	@mkdir -p build
	@$(LOCK:build/.lock=build/.lock-release) $(RELEASE)/bin/python -m release $(ARGS)

.PHONY: clean
clean: ## Remove everything that the other targets made
	rm -rf .venv .venv-pure .venv-matrix .venv-bench .venv-conformance .venv-docs $(RELEASE) build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests examples bench conformance docsite release -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	find src -name '*.so' -delete
