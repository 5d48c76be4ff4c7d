# The verbs people type. Set-up is skipped when what it was made from has not changed.
.DELETE_ON_ERROR:
.PHONY: setup demo test lint format parity bench generated artifact artifact-check artifact-local invoke smoke smoke-local \
	eval lock server-stop deploy-local deploy-local-stop register clean

PYTHON ?= python3
COMPOSITIONS ?= examples
CHROME_SOURCE ?= sparticuz
EVENT ?= infra/events/plan.json
TEST_PROCESSES ?= 2
BIN := .venv/bin

setup: .venv/tools.stamp

demo: setup
	$(BIN)/prefect-hyperframes render examples/quarterly-metrics -o out/quarterly-metrics.mp4 --fresh

test: setup lint
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Renders what is in COMPOSITIONS with the reference's command line too, and compares: docs/parity.md.
parity: setup
	$(BIN)/python -m parity $(COMPOSITIONS)

# How fast renders are beside the reference's: docs/performance.md. The machine should have nothing else to do.
bench: setup
	$(BIN)/python -m benchmarks

# What is made from the error table, the template and the state machine: after a change of any of them.
generated: setup
	$(BIN)/python -m infra.state_machine
	$(BIN)/python -m infra.documentation

# The function for AWS, which infra/template.yaml deploys; for chrome-headless-shell, CHROME_FOLDER says where it is.
artifact: setup
	$(BIN)/python -m infra.artifact --chrome-source $(CHROME_SOURCE) $(if $(CHROME_FOLDER),--chrome-folder $(CHROME_FOLDER))

# Builds it twice from scratch: the same bytes, within the limits. For a nightly lane, .ci/nightly.
artifact-check: setup
	$(BIN)/python -m infra.artifact --twice --output build/check

# The same for this machine's Python, packed in a hurry: the Lambda stand-in runs it.
artifact-local: setup
	$(BIN)/python -m infra.artifact --local

# The built function in the Lambda stand-in, against a local S3.
invoke: artifact-local
	$(BIN)/python -m infra.invoke $(EVENT)

smoke-local: artifact-local
	$(BIN)/python -m infra.smoke --local

# Deploys to the account that the AWS credentials name, renders there, and deletes the stack.
smoke: artifact
	$(BIN)/python -m infra.smoke

eval: artifact-local
	$(BIN)/python -m infra.eval

# Needs uv. No index address gets into the file.
lock:
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock

# A Prefect server (yours, where one is configured), a work pool, a worker and all deployments of prefect.yaml.
deploy-local: setup
	@$(BIN)/python -m deployments.local start

deploy-local-stop:
	@$(BIN)/python -m deployments.local stop
	@$(BIN)/prefect-hyperframes server stop

# Block types, the limit on renders and the automations, for the Prefect API that is configured.
register: setup
	$(BIN)/python -m deployments.register $(if $(RENDERS),--renders $(RENDERS))

server-stop:
	$(BIN)/prefect-hyperframes server stop

clean:
	rm -rf .venv .tools node_modules out build

.venv/python.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
		|| { echo "Python 3.11 to 3.14 is needed; set PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing the Python packages…"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@# The lock file is whole. pip would look for what a package's extra asks for beside it, and refuse any other release.
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.stamp: package-lock.json package.json .npmrc
	@command -v npm >/dev/null || { echo "npm is missing; Node 20 or newer brings it"; exit 1; }
	@echo "Installing the page packages…"
	@npm ci --loglevel=error --no-progress >/dev/null
	@touch $@

# Unpacks Chromium, and checks everything that rendering needs.
.venv/tools.stamp: .venv/python.stamp node_modules/.stamp lambda_handler/toolchain.py
	@$(BIN)/prefect-hyperframes doctor
	@touch $@
