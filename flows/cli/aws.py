"""`deploy`, `destroy` and `sites create`: the AWS side. `sam` and AWS credentials are needed here, and only here."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.cli.reporting import Json, reported
from flows.cli.stacks import chosen
from lambda_handler.errors import InvalidConfig, StackInvalid
from lambda_handler.toolchain import CHECKOUT
from tasks.sites import upload_site

TEMPLATE = CHECKOUT / "infra" / "template.yaml"
ARCHIVE = CHECKOUT / "build" / "function.zip"

sites = typer.Typer(help="Projects in a stack's bucket.", no_args_is_help=True)

StackNamed = Annotated[str, typer.Argument(metavar="STACK", help="Name of the CloudFormation stack.")]
Region = Annotated[str | None, typer.Option(help="AWS region; that of the AWS profile.")]
Print = Annotated[bool, typer.Option("--print", help="Print the command, and do not run it.")]


def deploy(
    stack: StackNamed,
    region: Region = None,
    reserved: Annotated[int | None, typer.Option(min=1, help="Lambda places kept for renders.")] = None,
    memory: Annotated[int | None, typer.Option(min=2048, max=10_240, help="MB of the function.")] = None,
    save_as: Annotated[str, typer.Option(help="Name of the RenderStack block.")] = "production",
    only_print: Print = False,
    as_json: Json = False,
) -> None:
    """Deploy the stack to AWS with sam, and save it as a RenderStack block."""
    chosen_parameters = {"ReservedConcurrency": reserved, "LambdaMemoryMb": memory}
    parameters = [f"{name}={value}" for name, value in chosen_parameters.items() if value is not None]
    command = ["sam", "deploy", "--template-file", str(TEMPLATE), "--stack-name", stack, "--resolve-s3"]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    command += ["--region", region] if region else []
    command += ["--parameter-overrides", *parameters] if parameters else []
    register = [sys.executable, "-m", "deployments.from_cloudformation", stack, "--name", save_as]
    register += ["--region", region] if region else []
    with reported(as_json):
        if not only_print and not ARCHIVE.is_file():
            raise StackInvalid(f"The function is not built: there is no {ARCHIVE}.", resolution="Run make artifact.")
        _carry_out([command, register], only_print=only_print, as_json=as_json)


def destroy(
    stack: StackNamed,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    only_print: Print = False,
    as_json: Json = False,
) -> None:
    """Delete a stack from AWS. Its bucket stays, with every video and render folder in it."""
    command = ["sam", "delete", "--stack-name", stack, "--no-prompts"] + (["--region", region] if region else [])
    with reported(as_json):
        if not only_print and not yes:
            if as_json:
                raise InvalidConfig("destroy --json asks nobody.", resolution="Say --yes too.")
            typer.confirm(f"Delete the stack {stack}? Its bucket stays.", abort=True)
        _carry_out([command], only_print=only_print, as_json=as_json)


@sites.command("create")
def sites_create(
    project: Annotated[Path, typer.Argument(help="Folder or .tar.gz of the project.")],
    stack: Annotated[str, typer.Option("--stack", help="Name of a RenderStack block of a stack on AWS.")],
    as_json: Json = False,
) -> None:
    """Upload a project under the digest of its content, unless it is there, and print its URI."""
    with reported(as_json), chosen(stack, None) as place:
        if place.kind == "local":
            raise InvalidConfig(f"The stack {stack} is this machine: a project is rendered where it lies.")
        uri = upload_site(project, place)
    typer.echo(json.dumps({"uri": uri}) if as_json else uri)


def _carry_out(commands: list[list[str]], *, only_print: bool, as_json: bool) -> None:
    lines = [shlex.join(command) for command in commands]
    if only_print:
        typer.echo(json.dumps({"commands": lines}) if as_json else "\n".join(lines))
        return
    if shutil.which("sam") is None:
        raise StackInvalid(
            "The AWS SAM CLI, sam, is not installed.",
            resolution=f"Install it (pip install aws-sam-cli), then: {lines[0]}",
        )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for command, line in zip(commands, lines, strict=True):
        console.print(f"[dim]$ {line}[/dim]")
        done = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr if as_json else None, check=False)
        if done.returncode:
            raise StackInvalid(
                f"{command[0]} ended with status {done.returncode}.", resolution=f"Mend what it says; it was: {line}"
            )
    if as_json:
        typer.echo(json.dumps({"commands": lines}))
