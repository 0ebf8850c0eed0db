# kill          kills hot processes in C, Python and Node that share a state, one after another: `make kill KILLS=1000`
# kill-worker   build/kill/worker-c, the one in C

KILLS ?= 100
KILL_WORKER := build/kill/worker-c

.PHONY: kill kill-worker

kill: kill-worker npm wheel
	$(PYTHON_IN_VENV) -m pip install -q --force-reinstall --no-deps dist/loadwise-*.whl
	$(PYTHON_IN_VENV) tests/kill/kill.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))

kill-worker: ffi
	mkdir -p $(dir $(KILL_WORKER))
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -Iinclude tests/kill/worker.c -o $(KILL_WORKER) \
		-L$(FFI_LIBS) -lloadwise -Wl,-rpath,$(abspath $(FFI_LIBS))
