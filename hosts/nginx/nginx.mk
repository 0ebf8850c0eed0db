# The nginx module: included by the top-level Makefile.
#   nginx           ngx_http_loadwise_module.so and ngx_stream_loadwise_module.so into build/nginx
#   install-nginx   into PREFIX/lib/nginx/modules (or NGINX_MODULES), below DESTDIR if given
# NGINX_SOURCE is where nginx's sources are: those of Debian's nginx-dev, or of any nginx, which NGINX_FLAGS then configure.
NGINX_SOURCE ?= /usr/share/nginx/src
NGINX_FLAGS ?= --with-compat --with-http_ssl_module
NGINX_MODULES ?= $(PREFIX)/lib/nginx/modules
NGINX_BUILD = build/nginx
NGINX_SO = $(addprefix $(NGINX_BUILD)/,ngx_http_loadwise_module.so ngx_stream_loadwise_module.so)

.PHONY: nginx install-nginx

nginx: ffi
	hosts/nginx/build.sh $(NGINX_SOURCE) $(NGINX_BUILD) $(NGINX_FLAGS)

install-nginx: nginx
	install -d $(DESTDIR)$(NGINX_MODULES)
	install -m 644 $(NGINX_SO) $(DESTDIR)$(NGINX_MODULES)
	@echo "load_module $(NGINX_MODULES)/ngx_http_loadwise_module.so;"
