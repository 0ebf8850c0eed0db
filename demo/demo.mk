# make demo          six servers of uneven speed; nginx, a Python gateway, a Node router and a C program balance over them
# DEMO_SECONDS (30) says how long the requests go on, DEMO_RATE (100) how many a second each of the four gets.
# What it needs is put into build/demo and demo/node_modules; its servers listen on 127.0.0.1 only and end with it.
DEMO = build/demo
DEMO_TARGET = $${CARGO_TARGET_DIR:-target}/release
DEMO_CORE = Cargo.lock $(shell find core -name '*.rs' -o -name Cargo.toml)
demo_sources = $(DEMO_CORE) $(shell find $(1) \( -name node_modules -o -name test -o -name tests \) -prune -o -name '*.rs' -print -o -name '*.toml' -print -o -name '*.py' -print)

# Only where there are sources of nginx; without the module the demo says so.
DEMO_NGINX = $(if $(wildcard $(NGINX_SOURCE)/auto),$(NGINX_BUILD)/ngx_http_loadwise_module.so)

.PHONY: demo

demo: $(DEMO)/client $(DEMO)/loadwise $(DEMO)/python $(DEMO)/node $(DEMO_NGINX)
	$(DEMO)/venv/bin/python demo/run.py

$(DEMO)/tools: demo/tools.sh
	sh demo/tools.sh
	@mkdir -p $(DEMO) && touch $@

$(DEMO)/client: $(DEMO)/tools demo/client.c include/loadwise.h $(call demo_sources,ffi)
	cargo build --release --locked -p loadwise-ffi
	$(CC) -O2 -Wall -Wextra -Iinclude -o $@ demo/client.c $(DEMO_TARGET)/libloadwise.a -lpthread -ldl -lm

$(DEMO)/loadwise: $(DEMO)/tools $(call demo_sources,cli)
	cargo build --release --locked -p loadwise-cli
	cp $(DEMO_TARGET)/loadwise $@

$(NGINX_BUILD)/ngx_http_loadwise_module.so: $(call demo_sources,ffi) $(wildcard hosts/nginx/*) | $(DEMO)/client
	hosts/nginx/build.sh $(NGINX_SOURCE) $(NGINX_BUILD) $(NGINX_FLAGS)

$(DEMO)/python: $(DEMO)/tools demo/requirements.txt $(call demo_sources,bindings-python)
	python3 -m venv $(DEMO)/venv
	$(DEMO)/venv/bin/pip install -q --disable-pip-version-check -r demo/requirements.txt
	$(DEMO)/venv/bin/pip install -q --disable-pip-version-check --force-reinstall --no-deps ./bindings-python
	@touch $@

$(DEMO)/node: $(DEMO)/tools demo/package.json $(call demo_sources,bindings-node)
	node bindings-node/scripts/build.js
	cd demo && npm install --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
	@touch $@
