# The two commands are `make demo` and `make test`; both prepare what they need by themselves.
PY      := .venv/bin/python
export PATH := $(CURDIR)/.cache/bin:$(PATH)
SOURCES := parley ari_app audio_fork media_core demo tests tools benchmarks setup.py

.PHONY: demo test test-fast test-faults test-models test-old-asterisk test-aarch64 soak sanitize fuzz prepare prepare-pbx prepare-peers prepare-engines build debug lint format bench clean

demo: prepare-pbx      ## one real call on a private Asterisk; ARGS=--listen stays up for your softphone
	$(PY) -m demo $(ARGS)

# Two processes at a time, whatever the machine: each module on its own Asterisk, whose calls run in real time.
# In the order of their names: by their number of tests, the slowest unit tests, a few long ones, would run last, alone.
PAIRED  := -n 2 --dist loadfile --no-loadscope-reorder

# Where the machine stood still during such a call, what failed is run once more, alone.
test: prepare-pbx prepare-peers prepare-engines      ## everything: unit, contract and end-to-end on a real Asterisk
	$(PY) -m pytest $(PAIRED) -m "not contract and not e2e and not faults and not models"
	$(PY) -m pytest -m models $(foreach engine,$(QUICK_ENGINES),tests/engines/test_$(subst -,_,$(engine))_real.py) || \
		{ [ $$? -eq 5 ] && echo "make test: left out the engines that could not be fetched (see above)"; }
	$(PY) -m pytest $(PAIRED) -m "contract or e2e" || { \
		echo "make test: once more, only what failed (see above)"; \
		$(PY) -m pytest -m "contract or e2e" --last-failed --last-failed-no-failures none; }

test-fast: prepare prepare-peers     ## unit tests only: no PBX
	$(PY) -m pytest $(PAIRED) -m "not contract and not e2e and not faults and not models" $(ARGS)

test-faults: prepare-pbx  ## everything that may fail, fails in mid-call; the table goes to build/test/faults.json
	$(PY) -m pytest tests/faults -m faults $(ARGS)

# Engines whose libraries are quick to fetch: `make test` runs their tests too.
QUICK_ENGINES := faster-whisper
# llama compiles for a quarter of an hour, and openai-whisper brings PyTorch, into an environment of its own (TORCH=
# torch==2.13.0+cpu chooses which): only where they are asked for.
ENGINES := $(or $(ENGINE),$(QUICK_ENGINES) piper openai)

test-models: MODELS_PY := $(if $(filter openai-whisper,$(ENGINE)),.cache/openai-whisper/bin/python,$(PY))
test-models: prepare-pbx  ## engines' real libraries on models made for tests; ENGINE=NAME: one alone
	python3 tools/prepare.py --only $(ENGINES)
	$(MODELS_PY) -m pytest -m models $(foreach engine,$(subst -,_,$(ENGINES)),\
		$(wildcard tests/engines/test_$(engine)_real.py tests/e2e/test_$(engine)_real.py)) $(ARGS)

# Where Asterisk 16.28 cannot be fetched its tests are skipped, and the last lines say so.
test-old-asterisk: prepare  ## the contract suites and the doctor on Asterisk 16.28
	@python3 tools/prepare.py --only old-asterisk || true
	PARLEY_ASTERISK_ROOT=$(CURDIR)/.cache/old-asterisk/root $(PY) -m pytest tests/contract tests/e2e/test_doctor.py $(ARGS)

sanitize: prepare      ## the media engine's C tests under AddressSanitizer, UBSan and ThreadSanitizer
	$(PY) -m tests.native $(ARGS)

# Where the compiler or qemu cannot be had nothing is run, and the last lines say so.
test-aarch64: prepare  ## the media engine's C tests built for aarch64, under qemu; what they compute is the same here
	@python3 tools/prepare.py --only aarch64 || true
	$(PY) -m tests.native.other_processor

fuzz: prepare          ## libFuzzer on what datagrams meet; SECONDS=600 is longer; findings go to build/fuzz
	@python3 tools/prepare.py --only fuzzer
	$(PY) -m tests.native.fuzzing $(or $(SECONDS),60)

soak: prepare-pbx      ## 20 calls of five minutes; ARGS="--calls 5 --minutes 1" is shorter; build/test/soak.json
	$(PY) -m benchmarks.soak $(ARGS)

prepare:               ## virtual environment, compiler, speech synthesisers
	@python3 tools/prepare.py

prepare-pbx:           ## the same and a private Asterisk, unpacked, never installed
	@python3 tools/prepare.py --with asterisk

# Where it cannot be fetched the tests that compare with it are skipped, and the last lines say so.
prepare-peers: prepare ## what tests compare with, libspandsp, unpacked, never installed; and the neural voice detector
	@python3 tools/prepare.py --only spandsp voice-model || true

# Where they cannot be fetched their tests are skipped, and the last lines say so.
prepare-engines: prepare
	@python3 tools/prepare.py --only $(QUICK_ENGINES) || true

build: prepare         ## compile the media core in place
	$(PY) setup.py -q build_ext --inplace

debug: prepare         ## compile it with every check on, and run the unit tests so
	PARLEY_CYTHON_DEBUG=1 $(PY) setup.py -q build_ext --inplace --force
	$(PY) -m pytest -m "not contract and not e2e and not faults and not models" $(ARGS); status=$$?; \
		$(PY) setup.py -q build_ext --inplace --force && exit $$status

lint: prepare          ## ruff and mypy --strict
	$(PY) -m ruff check $(SOURCES)
	$(PY) -m ruff format --check $(SOURCES)
	$(PY) -m mypy $(wildcard parley ari_app audio_fork media_core demo tests tools benchmarks)

format: prepare
	$(PY) -m ruff format $(SOURCES)
	$(PY) -m ruff check --fix $(SOURCES)

bench: prepare-pbx     ## BENCH=recognition runs one
	@python3 tools/prepare.py --only peers voice-model
	$(PY) -m benchmarks $(BENCH)

clean:                 ## keeps .cache (downloads)
	rm -rf build .venv *.egg-info media_core/*.so
