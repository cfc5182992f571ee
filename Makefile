# make train   meta-train the default extractor, its baselines and their comparison
# make test    lint, types and every test      (make fast: the fast tests only)
# Both make .venv if it is missing and install the tested versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: train ship test fast lint results clean

train: $(STAMP)
	$(BIN)/python experiments/quickstart.py

# the weights that ship with the package: those of `make train`
ship: train
	$(BIN)/python experiments/ship_weights.py

test: lint
	$(BIN)/python -m pytest -n 2 -m "not gpu"

# shapes and types are left to `make test`: to check them takes as long as all else
fast: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not gpu and not slow" -o addopts=--strict-markers

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# what results/ holds; data sets are downloaded at first use, or lie under FEWSHOT_FILM_DATA
results: $(STAMP)
	$(BIN)/python experiments/quickstart.py --seeds 0 1 2 --device cpu --results results/quickstart
	$(BIN)/python experiments/omniglot_protonet.py --seeds 0 1
	$(BIN)/python experiments/cifar_fs_protonet.py --seeds 0 1 2
	$(BIN)/python experiments/fc100_protonet.py --seeds 0 1 2
	$(BIN)/python experiments/tadam_readings.py
	$(BIN)/python experiments/tadam_readings.py --seeds 1 --rows at-addition at-instead
	$(BIN)/python experiments/tadam_readings.py --seeds 1 2 --rows base tc tc-running tc-shared
	$(BIN)/python experiments/task_swap.py
	$(BIN)/python experiments/task_swap.py --seeds 1 2 --rows tc tc-running tc-shared
	$(BIN)/python experiments/tadam_ablation.py --seeds 0 1 2
	$(BIN)/python experiments/gamma_beta_depth.py --seeds 0 1 2
	$(BIN)/python experiments/glyph_domain_shift.py --seeds 0 1 2
	$(BIN)/python experiments/adabn_digits.py --seeds 0 1 2
	$(BIN)/python experiments/adabn_sample_count.py --seeds 0 1 2
	$(BIN)/python experiments/adabn_pacs.py
	$(BIN)/python experiments/adabn_office_caltech10.py
	$(BIN)/python experiments/photo_attributes.py --seeds 0 1 2
	$(BIN)/python experiments/photos.py --seeds 0 1 2
	$(BIN)/python experiments/photos_caution.py
	$(BIN)/python experiments/pretrained_objects.py --seeds 0 1 2 --rows frozen photos
	$(BIN)/python experiments/pretrained_objects.py --rows frozen-ridge frozen-logistic frozen-lda photos-plain
	$(BIN)/python experiments/natural_labellings.py --seeds 0 1 2 --rows frozen photos
	$(BIN)/python experiments/natural_labellings.py --rows frozen-ridge frozen-logistic frozen-lda photos-plain photos-always
	$(BIN)/python experiments/photo_operations.py
	$(BIN)/python experiments/operations_curve.py
	$(BIN)/python experiments/never_asked.py
	$(BIN)/python experiments/sites_and_stages.py --rows frozen frozen-stages last early late all depthwise late-stages neck
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/adaptation.py
	$(BIN)/python benchmarks/import_time.py

# torch is asked for by its exact version first: a range takes a CUDA build of gigabytes
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs build *.egg-info .mypy_cache .pytest_cache .ruff_cache
