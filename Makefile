# Two commands matter: `make demo` and `make test`. Everything lives in .venv/ and var/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SPARK := $(VENV)/.spark
# Tests start our programs hundreds of times: without compiled modules every start would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup debian demo test check lint bench city city-long diagram xsd kills mutants clean

$(STAMP): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --upgrade pip
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

# Spark is 450 MB and only its tests need it: about 40 s once, and nothing for the demo.
$(SPARK): $(STAMP)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[spark]'
	touch $@

setup: $(STAMP)

debian:
	sh tests/debian.sh

demo: $(STAMP)
	$(BIN)/python -m gateway demo $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint

# What loads from elsewhere waits for the network, lint for a processor: side by side.
test: $(STAMP)
	$(MAKE) --jobs=3 --output-sync=target $(SPARK) debian lint
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

city: $(STAMP)
	$(BIN)/python -m simulators city --seed $(or $(SEED),7) --hours $(or $(HOURS),24) $(ARGS)

city-long: $(STAMP)
	$(BIN)/python -m simulators city-long $(ARGS)

diagram: $(STAMP)
	$(BIN)/python -m docs.draw_machine

xsd: $(STAMP)
	$(BIN)/python -m docs.write_xsd

kills: $(STAMP)
	$(BIN)/pytest tests/processes -q --kills 200

# Plants every bug of tests/mutants/mutations.py, one at a time; each must break an invariant or a named test.
mutants: $(STAMP)
	$(BIN)/python tests/mutants/run.py $(ARGS)

clean:
	rm -rf $(VENV) var build *.egg-info
