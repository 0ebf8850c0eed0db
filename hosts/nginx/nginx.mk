# The nginx module: included by the top-level Makefile.
#   nginx           ngx_http_loadwise_module.so and ngx_stream_loadwise_module.so into build/nginx
#   install-nginx   into PREFIX/lib/nginx/modules (or NGINX_MODULES), below DESTDIR if given
#   test-nginx      the tests, on real nginx and real servers on loopback
#   bench-nginx     requests/s, latencies and time of workers beside nginx's own methods: bench/nginx/RESULTS.md
# NGINX_SOURCE is where nginx's sources are: those of Debian's nginx-dev, or of any nginx, which NGINX_FLAGS then configure.
NGINX_SOURCE ?= /usr/share/nginx/src
NGINX_FLAGS ?= --with-compat --with-http_ssl_module
NGINX_MODULES ?= $(PREFIX)/lib/nginx/modules
NGINX_BUILD = build/nginx
NGINX_SO = $(addprefix $(NGINX_BUILD)/,ngx_http_loadwise_module.so ngx_stream_loadwise_module.so)

# What holds for one worker holds for several that share a state.
NGINX_SHARED_TESTS = $(patsubst %,tests/nginx/test_%.py,balancing checks failures lifecycle status)

.PHONY: nginx install-nginx test-nginx bench-nginx

nginx: ffi
	hosts/nginx/build.sh $(NGINX_SOURCE) $(NGINX_BUILD) $(NGINX_FLAGS)

install-nginx: nginx
	install -d $(DESTDIR)$(NGINX_MODULES)
	install -m 644 $(NGINX_SO) $(DESTDIR)$(NGINX_MODULES)
	@echo "load_module $(NGINX_MODULES)/ngx_http_loadwise_module.so;"

# Keys must land where the Python wheel says: that of test-python, or one that is made now.
test-nginx: nginx $(PYTHON_READY)
	ls dist/loadwise-*.whl >/dev/null 2>&1 || $(MAKE) -s wheel
	$(PYTHON_IN_VENV) -m pip install -q --force-reinstall --no-deps dist/loadwise-*.whl
	$(PYTHON_IN_VENV) -m pip install -q grpcio
	NGINX_SOURCE=$(NGINX_SOURCE) $(PYTHON_IN_VENV) -m pytest -q -p no:cacheprovider tests/nginx
	LOADWISE_NGINX_SHARED=1 LOADWISE_NGINX_WORKERS=4 LOADWISE_NGINX_AGREEING=4 \
	  $(PYTHON_IN_VENV) -m pytest -q -p no:cacheprovider $(NGINX_SHARED_TESTS)

bench-nginx: nginx
	python3 bench/nginx/bench.py
