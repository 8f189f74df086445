# Commands for developers; `just` lists them. See CONTRIBUTING.md.

export PATH := justfile_directory() / ".venv/bin:" + justfile_directory() / ".tools/node_modules/.bin:" + env("PATH")
# Without bytecode, each process that a test starts would compile everything.
export PYTHONDONTWRITEBYTECODE := ""
quick := "not browser and not cli and not server and not slow and not fuzz and not alone"

_list:
    @just --list --unsorted

# Install the tools and run the app.
run: install
    python manage.py up

# Install everything that the tests need.
install:
    bash .ci/install

# (One process more than there are cores, because some tests wait.)
# Run the tests that need no browser, CLI, server or long search, in less than a minute.
test *arguments:
    pytest -m "{{quick}}" -n $(({{num_cpus()}} + 1)) --dist loadfile {{arguments}}

# Measure pages, changes and the intake of events; --help lists the parts.
benchmark *arguments:
    python -m aitask.tests.benchmark {{arguments}}

# Run what CI runs only at night: tests of the scripted model, and longer variants of other tests.
test-nightly *arguments:
    pytest -m nightly -n 4 --dist loadfile {{arguments}}

# Run everything that CI runs.
test-all *arguments:
    bash .ci/test {{arguments}}

# Format all files, and apply ruff's fixes.
format:
    ruff check --fix-only --quiet .
    ruff format --quiet .
    djlint --reformat --warn --quiet templates
    biome check --write --log-level error .

# Check style and types.
lint:
    ruff check .
    ruff format --check .
    djlint --check --quiet templates
    djlint --lint --quiet templates
    biome ci --error-on-warnings .
    mypy .
