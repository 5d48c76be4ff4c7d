"""The deployed parts on this machine: the built function in the Lambda stand-in, S3 and Step Functions by moto.

What runs is the artifact, unzipped, under AWS's runtime client, with nothing of the checkout's environment in reach.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from infra.artifact import BUILD
from infra.standin import REGION, Function, Standin, running
from infra.wheels import install
from lambda_handler import packed
from lambda_handler.packed import Packed
from lambda_handler.storage import BUCKET_VARIABLE
from lambda_handler.toolchain import CHECKOUT, CHROME_SOURCE_VARIABLE

BUCKET = "hyperframes-renders"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": REGION}
LOCAL = BUILD / "local"
RUNTIME_CLIENT = "awslambdaric"


@dataclass(frozen=True)
class LocalAws:
    """Where the stack is: its function, its bucket, and the address of S3 and Step Functions."""

    standin: Standin
    endpoint: str
    bucket: str = BUCKET

    def client(self, service: str) -> Any:
        """A boto3 client for this stack; `service` is s3, stepfunctions or lambda."""
        return boto3.client(
            service,
            endpoint_url=self.standin.url if service == "lambda" else self.endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
            # Invoking again what takes long is the caller's decision.
            config=Config(read_timeout=self.standin.function.timeout_seconds + 60, retries={"total_max_attempts": 1}),
        )


def unzipped(archive: Path, python: Path) -> tuple[Path, Packed]:
    """The function's folder, out of its zip, and what is packed in it.

    Raises ValueError unless `python` is the version it was built for.
    """
    if not archive.is_file():
        raise FileNotFoundError(f"There is no {archive}: run make artifact-local first.")
    folder = archive.resolve().with_name("task")
    stamp = folder.with_name("task.stamp")
    told = str(archive.stat().st_mtime_ns)
    if not stamp.is_file() or stamp.read_text() != told:
        # What the last archive had and this one lacks must not be found.
        shutil.rmtree(folder, ignore_errors=True)
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
        stamp.write_text(told)
    built = packed.read(folder / packed.FOLDER)
    if built is None:
        raise ValueError(
            f"{archive} is not the function that make artifact-local builds: it has no {packed.FOLDER}/{packed.LIST}. "
            "Run make artifact-local."
        )
    found = version_of(python)
    if built.python != found:
        raise ValueError(
            f"{archive} was built for Python {built.python}, and {python}, which is to run it, is {found}. Build "
            f"it for that (python -m infra.artifact --python {found} --output build/{found}), or name a Python "
            f"{built.python} with --python."
        )
    return folder, built


def version_of(python: Path) -> str:
    """ "3.11", as the interpreter says it."""
    told = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def runtime(python: Path) -> Path:
    """The folder with AWS's runtime client for that interpreter, installed once."""
    version = version_of(python)
    folder = BUILD / f"runtime-{version}"
    if not (folder / RUNTIME_CLIENT).is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        install(CHECKOUT / "requirements.lock", [RUNTIME_CLIENT], version, folder)
    return folder


@contextmanager
def local_aws(
    archive: Path,
    logs: Path,
    *,
    python: Path = Path(sys.executable),
    environment: Mapping[str, str] = {},
    **limits: Any,
) -> Iterator[LocalAws]:
    """The stack, running until the end; `limits` are those of `standin.Function`."""
    (task, built), client = unzipped(archive, python), runtime(python)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    function = Function(
        task=task,
        runtime=client,
        python=python,
        environment={
            **CREDENTIALS,
            "AWS_ENDPOINT_URL_S3": endpoint,
            BUCKET_VARIABLE: BUCKET,
            CHROME_SOURCE_VARIABLE: built.chrome_source,
            **environment,
        },
        **limits,
    )
    settings: Any = default_user_config
    logger = logging.getLogger("werkzeug")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with (
            running(function, logs) as standin,
            # Its Step Functions call Lambda at this port of this machine, whatever else answers there.
            _item(os.environ, "MOTO_PORT", str(standin.port)),
            _item(settings, "stepfunctions", {"execute_state_machine": True}),
        ):
            stack = LocalAws(standin, endpoint)
            stack.client("s3").create_bucket(Bucket=BUCKET)
            yield stack
    finally:
        logger.setLevel(level)
        server.stop()


@contextmanager
def _item(settings: MutableMapping[str, Any], name: str, value: object) -> Iterator[None]:
    """Sets one of the process's settings for a while."""
    before = {name: settings[name]} if name in settings else {}
    settings[name] = value
    try:
        yield
    finally:
        del settings[name]
        settings.update(before)


def pack_project(project: Path, target: Path) -> Path:
    """The project's folder as the .tar.gz that a stack takes."""
    subprocess.run(["tar", "-C", project, "-czf", target, "."], check=True)
    return target


def invoke(stack: LocalAws, event: Mapping[str, Any]) -> dict[str, Any]:
    """The function's result. Raises RuntimeError with what it reported."""
    told = stack.client("lambda").invoke(FunctionName=stack.standin.function.name, Payload=json.dumps(event))
    result: dict[str, Any] = json.loads(told["Payload"].read())
    if "FunctionError" in told:
        raise RuntimeError(f"{result['errorType']}: {result['errorMessage']}")
    return result
