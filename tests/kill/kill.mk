# kill-worker   build/kill/worker-c, a hot worker in C that is killed at any instant

KILL_WORKER := build/kill/worker-c

.PHONY: kill-worker

kill-worker: ffi
	mkdir -p $(dir $(KILL_WORKER))
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -Iinclude tests/kill/worker.c -o $(KILL_WORKER) \
		-L$(FFI_LIBS) -lloadwise -Wl,-rpath,$(abspath $(FFI_LIBS))
