# make demo    a virtual environment, the install, then the table of all designs
# make test    the same environment, then linters, types, import rules and tests
# make bench   the explorers beside their peers (those that are installed)
# make pyz     dist/pinlab.pyz: the field and the audit in one file, for the Python that a host has

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint bench pyz lock clean

demo: $(INSTALLED)
	@# Some designs break, so the command ends with status 1; 2 and 3 are errors.
	@$(BIN)/pinlab compare || test $$? -eq 1

test: lint
	$(BIN)/python -m pytest -n auto

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

pyz: dist/pinlab.pyz

# Wheels of one version for several Pythons differ in compiled modules only, whose names say for
# which Python they are: they lie side by side. dist/pinlab.pyz unpacks them once, as nothing
# compiled can be imported out of a zip.
PYTHONS := 3.11 3.12 3.13 3.14
PLATFORMS := manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux2014_x86_64

dist/pinlab.pyz: $(INSTALLED) $(shell find src -type f -not -name '*.pyc' -not -path '*.egg-info/*')
	rm -rf build
	mkdir -p build/pyz/all dist
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir build/pyz .
	set -e; for version in $(PYTHONS); do \
	  $(BIN)/python -m pip install --quiet --no-compile --only-binary :all: --python-version $$version \
	    $(addprefix --platform ,$(PLATFORMS)) --constraint requirements.lock \
	    --target build/pyz/$$version build/pyz/*.whl; \
	  cp -R build/pyz/$$version/. build/pyz/all; \
	done
	$(BIN)/shiv --site-packages build/pyz/all --console-script pinlab --extend-pythonpath --compressed \
	  --python '/usr/bin/env python3' --output-file $@

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("pinlab needs Python 3.11 or later, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# New versions of everything that pyproject.toml asks for.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --upgrade 'setuptools>=77' '.[dev,drgn]'
	{ echo '# Exact versions that `make demo` and `make test` install. Made by `make lock`.'; \
	  $(VENV)-lock/bin/python -m pip freeze --all | grep -iv -e '^pip==' -e '^pinlab' | LC_ALL=C sort -f; } > requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-lock build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
