.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help setup setup-test run check test unit integration generate verify-generate golden bench bench-handshakes bench-operator bench-rollout image e2e clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: node_modules/.package-lock.json ## Install the Node packages (Node 24 among them)

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

setup-test: setup ## Install what the tests need: redis-server, Chromium, promtool, and the binaries of control plane and Helm
	test/support/install.sh
	test/controlplane/build.sh
	test/controlplane/helm3/build.sh

run: setup ## Holdfast on the example manifests, with a chat to try; no cluster needed
	@node examples/run.ts

check: setup ## Lint, types and generated files
	biome check --error-on-warnings .
	tsc --noEmit
	@$(MAKE) --no-print-directory verify-generate

test: check setup-test ## Everything that CI checks
	test/all.sh

unit: setup ## Tests that need nothing but this checkout
	npm test --silent -- --selectProjects unit feature

integration: setup-test ## Tests against a real API server, Redis and browser
	npm test --silent -- --selectProjects integration --runInBand

generate: setup ## CRDs, editor schemas, the chart's schema and the reference from their sources
	node crds/generate.ts
	node docs/generate.ts
	node charts/generate.ts

verify-generate: setup ## Fail when a generated file is not what its source makes
	node crds/generate.ts --check
	node docs/generate.ts --check
	node charts/generate.ts --check

golden: setup ## Write the golden outputs anew; read the diff before you commit it
	node test/golden/update.ts

bench: setup ## CPU and memory beside nginx, HAProxy and http-proxy
	test/bench/install.sh
	node test/bench/run.ts

bench-handshakes: setup ## What a token costs at the handshake, known and new, beside a route that asks for none
	node test/bench/handshakes.ts

bench-operator: setup-test ## What 10,000 routes cost the operator and a gateway, on a real API server
	test/in-netns.sh node test/bench/operator.ts

bench-rollout: setup-test ## A rollout of 3 gateways with 3,000 clients, on a real one-node cluster (Linux, root)
	image/install.sh
	test/e2e/install.sh
	archive=$$(image/build.sh localhost/holdfast:e2e) && HOLDFAST_IMAGE=$$archive test/in-netns.sh node test/bench/rollout.ts

image: setup ## Build the container image; no registry needed
	image/install.sh
	image/build.sh

e2e: setup-test ## Holdfast's image on a real one-node cluster (Linux, root)
	image/install.sh
	test/e2e/install.sh
	archive=$$(image/build.sh localhost/holdfast:e2e) && HOLDFAST_IMAGE=$$archive npm test --silent -- --selectProjects e2e --runInBand

clean: ## Remove what was built or installed into this checkout
	rm -rf node_modules dist
