"""What a render is asked for with, checked before anything is started."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from lambda_handler import storage
from lambda_handler.errors import InvalidConfig, ProjectNotFound, RenderNotFound, UriNotAllowed
from lambda_handler.events import Config, PlanEvent, validated
from lambda_handler.formats import FORMATS, format_of
from lambda_handler.manifest import digest
from lambda_handler.render_folder import RenderFolder
from tasks.sites import content_digest, digest_of, upload_site

if TYPE_CHECKING:
    from tasks.stack import Stack


class RenderRequest(BaseModel):
    """One video: which project, how, and where to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = Field(title="Project", description="Folder or .tar.gz of the project, a path or a URI.")
    output: str = Field(
        title="Output", description="Where the video goes, a path or a URI; it ends as the format's files do."
    )
    config: Config = Field(Config(), title="Config", description="How to render.")
    render_folder: str | None = Field(
        None,
        title="Render folder",
        description="URI of the folder that holds the render's parts; left out, it follows from the request, so "
        "that the same request finds what is already rendered.",
    )

    @property
    def name(self) -> str:
        """What the UI calls the render: the output's file name."""
        name = self.output.rstrip("/").rpartition("/")[2]
        return unquote(name) if urlsplit(self.output).scheme == "file" else name


def uri_of(place: str) -> str:
    """`place`, a path or a URI, as a URI."""
    return place if urlsplit(place).scheme in ("s3", "file") else storage.file_uri(Path(place).expanduser())


def format_for(output: str) -> str:
    """The format that an output's name asks for. Raises InvalidConfig for a name that asks for none."""
    found = format_of(output)
    if found is None:
        endings = ", ".join(f"{each.suffix} ({name})" for name, each in FORMATS.items())
        raise InvalidConfig(
            f"The name {output} does not say which format it is to be.", resolution=f"End it with one of {endings}."
        )
    return found


def check(request: RenderRequest, stack: Stack) -> None:
    """Raises ProjectNotFound, InvalidConfig, UriNotAllowed for what can be seen without starting anything."""
    suffix = FORMATS[request.config.format].suffix
    if not request.output.lower().endswith(suffix):
        raise InvalidConfig(
            f"format is {request.config.format}, and the output {request.output} does not end with {suffix}.",
            resolution=f"Name the output something{suffix}, or ask for another format.",
        )
    project = uri_of(request.project)
    if project.startswith("file:"):
        path = storage.path_of(project)
        if not path.exists():
            raise ProjectNotFound(f"There is no project at {path}.")
    if stack.kind == "aws":
        elsewhere = {"output": output_uri(request, stack), "render folder": render_folder(request, stack)}
        if not project.startswith("file:"):
            elsewhere["project"] = project
        for what, uri in elsewhere.items():
            if not uri.startswith(f"s3://{stack.bucket}/"):
                raise UriNotAllowed(
                    f"The {what}, {uri}, is not in the stack's bucket {stack.bucket}.",
                    resolution=f"Name something below s3://{stack.bucket}/.",
                )


def output_uri(request: RenderRequest, stack: Stack) -> str:
    """The URI of the video. On AWS a relative path lies below the stack's `output/`. Raises InvalidConfig."""
    if stack.kind == "local" or urlsplit(request.output).scheme == "s3":
        return uri_of(request.output)
    path = PurePosixPath(request.output)
    if path.is_absolute() or ".." in path.parts or urlsplit(request.output).scheme:
        raise InvalidConfig(
            f"The output {request.output} is on this machine, and the stack renders on AWS.",
            resolution=f"Name it promo.mp4, which means {stack.outputs}/promo.mp4, or give an s3:// URI.",
        )
    return storage.join(stack.outputs, path.as_posix())


def plan_event(request: RenderRequest, stack: Stack) -> PlanEvent:
    """What a worker is asked first. The project is uploaded for it where it has to be."""
    return PlanEvent(
        action="plan",
        project_s3_uri=project_uri(request, stack),
        plan_output_s3_prefix=render_folder(request, stack),
        output_s3_uri=output_uri(request, stack),
        config=request.config,
    )


def project_uri(request: RenderRequest, stack: Stack) -> str:
    """The URI of the project; one on this machine is uploaded first, when the stack is on AWS."""
    uri = uri_of(request.project)
    if stack.kind == "aws" and uri.startswith("file:"):
        return upload_site(storage.path_of(uri), stack)
    return uri


def recorded(folder: str) -> RenderRequest:
    """What the render in the folder `folder` was asked for with. Raises RenderNotFound, InvalidConfig."""
    place = RenderFolder(folder.rstrip("/"))
    try:
        told = validated(PlanEvent, {"Action": "plan", **json.loads(storage.read(place.request))})
    except (FileNotFoundError, ValueError) as error:
        raise RenderNotFound(f"{place.prefix} is not a render folder: it has no readable request.json.") from error
    if told.output_s3_uri is None:
        raise InvalidConfig(
            f"The request in {place.prefix} does not say where the video goes.",
            resolution="Render the project again, with an output and this render folder.",
        )
    return RenderRequest(
        project=told.project_s3_uri, output=told.output_s3_uri, config=told.config, render_folder=place.prefix
    )


def pinned(request: RenderRequest, stack: Stack, content: str | None = None) -> RenderRequest:
    """The same request with its render folder in it: what happens to the project meanwhile does not move the folder.

    `content` is `content_of` its project, where that is known. Raises ProjectNotFound, PlanTooLarge.
    """
    return request.model_copy(update={"render_folder": render_folder(request, stack, content)})


def render_folder(request: RenderRequest, stack: Stack, content: str | None = None) -> str:
    """The URI of the request's render folder: the given one, else one named by the project's bytes and the config."""
    if request.render_folder:
        return request.render_folder.rstrip("/")
    made_of = digest([content or content_of(uri_of(request.project)), request.config.model_dump(mode="json")])
    stem = re.sub(r"[^a-z0-9]+", "-", request.name.rpartition(".")[0].lower()).strip("-") or "render"
    return storage.join(stack.renders, f"{stem}-{made_of[:12]}")


def content_of(project: str) -> str:
    """A digest of the project at that URI: the same for one on this machine and for what was uploaded of it."""
    if project.startswith("file:"):
        return content_digest(storage.path_of(project))
    return digest_of(project) or project
