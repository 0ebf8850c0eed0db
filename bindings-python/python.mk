# make wheel         dist/loadwise-*.whl: the Python package, for CPython 3.10 and later
# make sdist         dist/loadwise-*.tar.gz: the same as source
# make test-python   the tests, on the wheel that was built
# make test-metrics  metrics texts against the parsers of prometheus_client
# make stub-check    the type hints against the module
# make bench-python  a call from Python beside an empty one, random.choice and uhashring, as JSON; its interpreter,
#                    for `make bench PYTHON=build/python-bench/bin/python`, is made by bench-python-env
# PYTHON names the interpreter.
PYTHON ?= python3
PYTHON_VENV = build/python
PYTHON_IN_VENV = $(PYTHON_VENV)/bin/python
PYTHON_READY = $(PYTHON_VENV)/ready

.PHONY: wheel sdist test-python test-metrics stub-check bench-python bench-python-env

$(PYTHON_READY): bindings-python/python.mk
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "FAIL python: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(PYTHON_VENV)
	$(PYTHON_IN_VENV) -m pip install -q "maturin>=1.13,<2" pytest mypy httpx uvicorn gunicorn prometheus_client
	touch $@

wheel: $(PYTHON_READY)
	rm -f dist/loadwise-*.whl
	$(PYTHON_IN_VENV) -m maturin build -q --release -m bindings-python/Cargo.toml -i $(PYTHON_IN_VENV) -o dist
	@ls dist/loadwise-*.whl

sdist: $(PYTHON_READY)
	rm -f dist/loadwise-*.tar.gz
	$(PYTHON_IN_VENV) -m maturin sdist -m bindings-python/Cargo.toml -o dist
	@ls dist/loadwise-*.tar.gz

test-python: wheel
	$(PYTHON_IN_VENV) -m pip install -q --force-reinstall --no-deps dist/loadwise-*.whl
	$(PYTHON_IN_VENV) -m pytest -q -c bindings-python/pyproject.toml bindings-python/tests
	PYTHON=$(PYTHON) sh bindings-python/tests/wheel.sh

test-metrics: $(PYTHON_READY)
	$(PYTHON_IN_VENV) -m pip install -q prometheus_client
	$(PYTHON_IN_VENV) tests/metrics/check.py

stub-check: wheel
	$(PYTHON_IN_VENV) -m pip install -q --force-reinstall --no-deps dist/loadwise-*.whl
	$(PYTHON_IN_VENV) -m mypy.stubtest loadwise._loadwise
	$(PYTHON_IN_VENV) -m mypy --strict --package loadwise
	@echo ok stub-check

bench-python: bench-python-env
	build/python-bench/bin/python bench/python/bench.py

bench-python-env:
	$(PYTHON) -m venv build/python-bench
	build/python-bench/bin/python -m pip install -q uhashring
	build/python-bench/bin/python -m pip install -q --force-reinstall ./bindings-python -C build-args="--features bench"
