# What a contributor runs, one line each; CONTRIBUTING.md says when. Another Python: make quick PYTHON=python3
PYTHON ?= .venv/bin/python
ROOMS = conf lake bronze silver gold expectations privacy report emr fruit_lake page cli

.PHONY: help lint rules quick spark tensorflow process test benchmarks docs hooks

help:        ## this list
	@sed -n 's/^\([a-z]*\): *## /\1: /p' Makefile
lint:        ## the linter, the formatter and the type checker
	$(PYTHON) -m ruff check && $(PYTHON) -m ruff format --check && $(PYTHON) -m mypy run.py $(ROOMS)
rules:       ## what no code and no page may break: one-way imports, links, paths, the command reference
	$(PYTHON) -m pytest -q -n 0 tests/test_imports.py tests/test_readme.py tests/cli/test_command_reference.py \
		tests/cli/test_setting_reference.py
quick:       ## every test that needs neither Spark nor TensorFlow
	$(PYTHON) -m pytest -n 2 -m "not spark and not tensorflow and not process"
spark:       ## the tests that need Spark
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "spark and not process"
tensorflow:  ## the tests that convert models
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "tensorflow and not spark and not process"
process:     ## the tests that start a command line in processes of their own
	$(PYTHON) -m pytest -n 2 --dist loadfile -m process
test:        ## all tests, as the README and CI run them
	$(PYTHON) -m pytest -n 2 --dist loadfile
benchmarks:  ## hours, on a quiet machine; docs/performance.md says how to read them
	for each in throughput daily_run first_load long_lake many_objects listed_objects read_only_commands scaling erasure pca_fit; do $(PYTHON) benchmarks/$$each.py || exit; done
docs:        ## docs/commands.md and the tables of docs/settings.md, made anew from the code
	$(PYTHON) -m cli.command_reference > docs/commands.md
	$(PYTHON) -m cli.setting_reference
hooks:       ## lint and rules before each commit
	$(PYTHON) -m pre_commit install
