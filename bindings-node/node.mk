# make npm           the addon of this platform, built into bindings-node/
# make npm-dist      dist/loadwise-*.tgz: the npm package, and the one with the addon of this platform
# make test-node     the tests, on the addon and on the tarballs
# make bench-node    a call from Node beside an empty one, hashring and undici, as JSON
# NODE and NPM name the programs.
NODE ?= node
NPM ?= npm

.PHONY: npm npm-dist test-node bench-node

# What the tests are written with. Without a network, those that need it are left out.
NODE_PEERS = bindings-node/node_modules/.package-lock.json
$(NODE_PEERS): bindings-node/package.json
	@cd bindings-node && $(NPM) install --no-audit --no-fund --ignore-scripts >/dev/null && touch ../$@ || \
	  echo "SKIP TypeScript and undici: cd bindings-node && npm install"

npm:
	$(NODE) bindings-node/scripts/build.js

npm-dist: npm
	rm -f dist/loadwise-*.tgz
	$(NODE) bindings-node/scripts/pack.js dist

test-node: npm $(NODE_PEERS)
	cd bindings-node && $(NODE) --expose-gc --test test/*.test.js

bench-node: npm $(NODE_PEERS)
	$(NODE) bench/node/bench.mjs
