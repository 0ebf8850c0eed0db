# The loadwise command: included by the top-level Makefile, and usable alone from the top as `make -f cli/cli.mk TARGET`.
#   cli            target/release/loadwise
#   test-cli       its tests, also as an installed command
#   install-cli    the command, its manual pages and completions into PREFIX (default /usr/local), below DESTDIR if given;
#                  uninstall-cli takes them out again; both are part of install and uninstall

PREFIX ?= /usr/local
CARGO ?= cargo

CLI_BINARY := $(or $(CARGO_TARGET_DIR),target)/release/loadwise
CLI_BIN = $(DESTDIR)$(PREFIX)/bin
CLI_SHARE = $(DESTDIR)$(PREFIX)/share
CLI_MAN = $(CLI_SHARE)/man/man1
CLI_PAGES = loadwise loadwise-top loadwise-check loadwise-explain loadwise-completions
CLI_BASH = $(CLI_SHARE)/bash-completion/completions
CLI_ZSH = $(CLI_SHARE)/zsh/site-functions
CLI_FISH = $(CLI_SHARE)/fish/vendor_completions.d

.PHONY: cli test-cli install-cli uninstall-cli install uninstall

cli:
	$(CARGO) build --locked --release -p loadwise-cli

test-cli:
	$(CARGO) test --locked -p loadwise-cli
	cli/tests/installed.sh

install: install-cli
uninstall: uninstall-cli

install-cli: cli
	install -d $(CLI_BIN) $(CLI_MAN) $(CLI_BASH) $(CLI_ZSH) $(CLI_FISH)
	install -m 755 $(CLI_BINARY) $(CLI_BIN)
	$(CLI_BINARY) manual $(CLI_MAN)
	$(CLI_BINARY) completions bash > $(CLI_BASH)/loadwise
	$(CLI_BINARY) completions zsh > $(CLI_ZSH)/_loadwise
	$(CLI_BINARY) completions fish > $(CLI_FISH)/loadwise.fish

uninstall-cli:
	rm -f $(CLI_BIN)/loadwise $(CLI_PAGES:%=$(CLI_MAN)/%.1)
	rm -f $(CLI_BASH)/loadwise $(CLI_ZSH)/_loadwise $(CLI_FISH)/loadwise.fish
