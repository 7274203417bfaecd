# Short names for longer commands; what they do is in the modules they call.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo-once test check lint pictures score corpus train evaluate entities recipes classify-speed parse-speed large-shop archive fleet chaos learning fuzz lock migration

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

corpus: ## what the corpus of labelled mails holds, how alike they are, how sure the labels
	$(BIN)/python -m bench.corpus

var/base-encoder:
	$(BIN)/pip install -q sentencepiece==0.2.3
	$(BIN)/python -m bench.base_encoder --output var/base-encoder

train: var/base-encoder ## the shipped classifier again, from its corpus and the base encoder (half an hour or more)
	$(BIN)/python -m models.build_default

evaluate: ## the shipped classifier on the frozen test part, and its plots
	$(BIN)/python -m bench.evaluate --pictures

entities: ## numbers, sums, products and wishes found in the mails of the frozen test part
	$(BIN)/python -m bench.entities --part test

recipes: ## ways to train the classifier, compared on the validation part (V="plain frozen ...")
	$(BIN)/python -m bench.finetuning $(V)

classify-speed: ## mails a second against a plain pipeline and the machine's peak
	$(BIN)/python -m bench.classify

var/bench-peers:
	$(BIN)/pip install -q --target var/bench-peers mail-parser==4.8.0 fast-mail-parser==0.10.0 django-helpdesk==2.6.1 django==5.2.19 beautifulsoup4==4.15.0 email-reply-parser==0.5.12 django-mailbox==4.10.1

parse-speed: var/bench-peers ## mails read a second on one core, beside the standard library, mail-parser and django-helpdesk
	$(BIN)/python -m bench.parse
	$(BIN)/python -m bench.structure

crashes: ## kill the worker at each named point, on SQLite and on PostgreSQL
	@$(PYTHON) -m odzew.setup --test
	ODZEW_EVERY_CRASH=1 $(BIN)/python -m pytest tests/integration/test_crashes.py

large-shop: ## what pages, signals and a mail cost at 200,000 tickets (V="--tickets 1000": fewer)
	$(BIN)/python -m bench.large_shop $(V)

archive: ## `odzew import` of 100,000 old mails, killed once on the way (V="--mails 2000": fewer)
	$(BIN)/python -m bench.archive $(V)

fleet: ## 1, 2 and 4 nodes of odzew fleet on 20,000 mails, the classifier simulated (V="--mails 6000": fewer)
	$(BIN)/python -m bench.fleet $(V)

chaos: ## three nodes, 300 kills at work, broken lines, 5,000 mails: nothing lost or doubled (V="--kills 30": fewer)
	$(BIN)/python -m bench.chaos $(V)

pipeline: var/bench-peers ## mails a second through all of it, beside limits and peers (V="--mails 300 --classified 60 --peer-mails 60": fewer; V="--memory 50000")
	$(BIN)/python -m bench.pipeline $(V)

learning: ## how fast a shop's own labels make it better
	$(BIN)/python -m bench.retrain

fuzz: ## random and broken mails through the parser, for an hour (S=seconds, SEED=number)
	@$(BIN)/python -m bench.fuzz --seconds $(or $(S),3600) --seed $(or $(SEED),1)

lock: ## the lock files again from pyproject.toml and requirements-dev.in (UPGRADE=1: newest versions)
	@$(PYTHON) -m odzew.setup --lock $(if $(UPGRADE),--upgrade)

migration: ## a new database migration: make migration name=add_team
	@$(BIN)/python -m storage.migrations "$(name)"
