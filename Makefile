# One command for each job. Everything is installed into .venv with the constraints file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo-study
JOBS ?= 2
# Modules are compiled when they are first used: an installer would compile 15,000, of which few are
# loaded. They have to be kept, or every process would compile anew what it loads.
export PYTHONDONTWRITEBYTECODE =
# uv installs in a fifth of pip's time. It does not read pip's settings, so the indexes that pip is
# told of are handed on; where uv cannot install, pip does.
PIP := $(BIN)/python -m pip --disable-pip-version-check
pip_setting = $$($(PIP) config get :env:.$(1) 2>/dev/null || $(PIP) config get global.$(1) 2>/dev/null)
comma := ,
define install
	@echo 'Installing the package and what it needs into $(VENV)'
	-@$(PIP) install --no-compile --quiet -c constraints.txt uv
	@UV_DEFAULT_INDEX="$(call pip_setting,index-url)" UV_INDEX="$(call pip_setting,extra-index-url)" \
	  UV_FIND_LINKS="$(call pip_setting,find-links)" UV_INDEX_STRATEGY=unsafe-best-match \
	  $(BIN)/uv pip install --python $(BIN)/python --quiet -c constraints.txt -b constraints.txt -e '.[$(1)]' \
	  || $(PIP) install --no-compile --quiet -c constraints.txt -e '.[$(1)]'
	@touch $@
endef

# The versions also hold for what builds the package; the second name is that of pip 25.3 and later.
# An address, since pip takes a space in a path for the end of it.
space := $() $()
export PIP_CONSTRAINT := file://$(subst $(space),%20,$(CURDIR))/constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-all lint coverage docs bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-train
	@# git-annex write-protects what it keeps, so that rm alone would fail.
	@if [ -d demo-study ]; then chmod -R u+w demo-study && rm -rf demo-study; fi
	$(BIN)/cta-data demo $(DEMO_DIR) --cohorts all --train -j $(JOBS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not thorough"

# What a change of a mechanism has to pass as well: whole pipelines, real data, repeats.
test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Which tests, and how the floor was found: see [tool.coverage] in pyproject.toml.
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not train" --cov --cov-report=term

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-dev
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist site .coverage *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo 'The venv module is missing: apt-get install python3-venv'; exit 1; }

$(VENV)/.installed-train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(call install,train)

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(call install,dev$(comma)train)
	@touch $(VENV)/.installed-train

$(VENV)/.installed-docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(call install,docs)
