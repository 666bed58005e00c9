# make demo    a virtual environment, the install, then the table of all designs
# make test    the same environment, then linters, types, import rules and tests
# make bench   the explorers beside their peers (those that are installed)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint bench lock clean

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
	rm -rf $(VENV) $(VENV)-lock build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
