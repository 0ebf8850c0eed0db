# The C ABI: included by the top-level Makefile, and usable alone from the top as `make -f ffi/ffi.mk TARGET`.
#   ffi           libloadwise.so and libloadwise.a
#   header        include/loadwise.h from its source; header-check tells whether it is up to date
#   test-c        the C and C++ tests
#   install       into PREFIX (default /usr/local), below DESTDIR if given; uninstall takes it out again

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CARGO ?= cargo

FFI_TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
FFI_LIBS := $(FFI_TARGET_DIR)/release
FFI_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
FFI_MAJOR := $(word 1,$(subst ., ,$(FFI_VERSION)))
FFI_MINOR := $(word 2,$(subst ., ,$(FFI_VERSION)))
# As ffi/build.rs has it.
FFI_SOVERSION := 0
FFI_SUBSTITUTE := sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@VERSION@|$(FFI_VERSION)|g' \
	-e 's|@MAJOR@|$(FFI_MAJOR)|g' -e 's|@MINOR@|$(FFI_MINOR)|g' -e 's|@SOVERSION@|$(FFI_SOVERSION)|g'

.PHONY: ffi header header-check test-c install uninstall

ffi:
	$(CARGO) build --release -p loadwise-ffi
	ln -sf libloadwise.so $(FFI_LIBS)/libloadwise.so.$(FFI_SOVERSION)

header:
	$(CARGO) run -q -p xtask -- header

header-check:
	$(CARGO) run -q -p xtask -- header --check

test-c: ffi header-check
	tests/c/run.sh

install: ffi
	install -d $(DESTDIR)$(PREFIX)/include/loadwise $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/loadwise
	install -m 644 include/loadwise.h include/loadwise.hpp $(DESTDIR)$(PREFIX)/include
	install -m 644 include/loadwise/*.hpp $(DESTDIR)$(PREFIX)/include/loadwise
	install -m 755 $(FFI_LIBS)/libloadwise.so $(DESTDIR)$(LIBDIR)/libloadwise.so.$(FFI_VERSION)
	ln -sf libloadwise.so.$(FFI_VERSION) $(DESTDIR)$(LIBDIR)/libloadwise.so.$(FFI_SOVERSION)
	ln -sf libloadwise.so.$(FFI_SOVERSION) $(DESTDIR)$(LIBDIR)/libloadwise.so
	install -m 644 $(FFI_LIBS)/libloadwise.a $(DESTDIR)$(LIBDIR)
	$(FFI_SUBSTITUTE) ffi/loadwise.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/loadwise.pc
	$(FFI_SUBSTITUTE) ffi/cmake/loadwise-config.cmake.in > $(DESTDIR)$(LIBDIR)/cmake/loadwise/loadwise-config.cmake
	$(FFI_SUBSTITUTE) ffi/cmake/loadwise-config-version.cmake.in \
		> $(DESTDIR)$(LIBDIR)/cmake/loadwise/loadwise-config-version.cmake

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/include/loadwise.h $(DESTDIR)$(PREFIX)/include/loadwise.hpp
	rm -rf $(DESTDIR)$(PREFIX)/include/loadwise
	rm -f $(DESTDIR)$(LIBDIR)/libloadwise.so.$(FFI_VERSION) $(DESTDIR)$(LIBDIR)/libloadwise.so.$(FFI_SOVERSION)
	rm -f $(DESTDIR)$(LIBDIR)/libloadwise.so $(DESTDIR)$(LIBDIR)/libloadwise.a
	rm -f $(DESTDIR)$(LIBDIR)/pkgconfig/loadwise.pc
	rm -rf $(DESTDIR)$(LIBDIR)/cmake/loadwise
