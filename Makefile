# Short names for longer commands; what they do is in the modules they call.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo-once test check lint pictures score train held-out lock migration

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: ## set up what is missing and show the whole product on sample mails
	@$(PYTHON) -m odzew.setup
	@$(BIN)/odzew demo

demo-once: ## the same until every sample is handled, then the tickets and an end
	@$(PYTHON) -m odzew.setup
	@$(BIN)/odzew demo --once

test: ## everything: lint, types, import contracts, all tests on real servers
	@$(PYTHON) -m odzew.setup --test
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest

check: ## before each commit: lint, types, import contracts, fast tests
	@$(PYTHON) -m odzew.setup --test
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -q tests/unit

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

pictures: ## the pictures of the README, from a running demo
	$(BIN)/python -m bench.pictures

score: ## how well mail is read, over the corpora of other projects
	$(BIN)/python -m bench.score ../shared/corpora

train: ## the shipped classifier again, from its corpus and the base encoder
	$(BIN)/python -m models.build_default

held-out: ## how good it is on mails by others than those it was trained on
	$(BIN)/python -m bench.held_out

lock: ## the lock files again from pyproject.toml and requirements-dev.in (UPGRADE=1: newest versions)
	@$(PYTHON) -m odzew.setup --lock $(if $(UPGRADE),--upgrade)

migration: ## a new database migration: make migration name=add_team
	@$(BIN)/python -m storage.migrations "$(name)"
