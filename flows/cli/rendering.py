"""`render`, `resume` and `stills`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flows.cli.reporting import Json, plain, reported
from flows.cli.stacks import Root, StackName, chosen, folder_of
from flows.cli.starting import prefect_api, ready_workers
from flows.console import RenderBar, lasting, size
from flows.request import RenderRequest, check, format_for, pinned, plan_event, recorded, render_folder, uri_of
from flows.status import find
from flows.stills import is_video, make_stills, video_of
from lambda_handler import storage
from lambda_handler.errors import InvalidConfig
from lambda_handler.events import Config, parse_config, to_wire
from lambda_handler.render_folder import RenderFolder, is_part
from tasks.local_stack import LocalStack, default_root

if TYPE_CHECKING:
    from flows.render import RenderOutcome


def render(
    project: Annotated[Path, typer.Argument(help="Folder or .tar.gz of the project.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The video: .mp4, .mov, .webm, .gif, or .tar.gz of PNGs.")
    ],
    fps: Annotated[str | None, typer.Option(help="24, 25, 30, 50, 60, or 24000/1001 and the like.")] = None,
    chunks: Annotated[int | None, typer.Option(help="How many chunks; chosen from the measured speed.")] = None,
    chunk_size: Annotated[int | None, typer.Option(help="Frames per chunk.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; as many as there are cores.")] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(help="mp4, mov, webm, png-sequence or gif; as the output's name says.")
    ] = None,
    codec: Annotated[str | None, typer.Option(help="h264 or h265, for mp4.")] = None,
    resolution: Annotated[
        str | None, typer.Option(help="Output size: 1080p, 4k, landscape, portrait-4k, square and the like.")
    ] = None,
    quality: Annotated[str, typer.Option(help="draft, standard or high.")] = "standard",
    crf: Annotated[int | None, typer.Option(help="Constant rate factor, 0 to 51.")] = None,
    bitrate: Annotated[str | None, typer.Option(help="Target bitrate, as 8M; instead of --crf.")] = None,
    variables: Annotated[
        str | None, typer.Option(help="Values of declared variables: JSON, or @FILE with JSON in it.")
    ] = None,
    strict_fonts: Annotated[
        bool, typer.Option("--strict-fonts", help="Fail where another font than the one named would be drawn.")
    ] = False,
    root: Annotated[Path | None, typer.Option(help="Where render folders are kept.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what is rendered; render every frame.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Json = False,
) -> None:
    """Render a project to a video, through the Prefect flow, in parallel chunks on this machine."""
    with reported(as_json):
        config = {
            "fps": fps,
            "format": format or format_for(str(output)),
            "codec": codec,
            "outputResolution": resolution,
            "quality": quality,
            "crf": crf,
            "bitrate": bitrate,
            "chunkSize": chunk_size,
            "maxParallelChunks": chunks,
            "variables": _variables(variables),
            "rejectOnSystemFonts": strict_fonts,
            "failClosedFontFetch": strict_fonts,
        }
        request, stack = _request(project, output, _config(config), root, workers)
        outcome, ui = _run(request, stack, fresh=fresh, console=Console(stderr=True, quiet=quiet or as_json))
    if as_json:
        typer.echo(json.dumps({**outcome.model_dump(mode="json"), "ui": ui}))
    elif not quiet:
        _tell(outcome, ui)


def resume(
    render: Annotated[
        str, typer.Argument(metavar="RENDER", help="A render folder, or a render's name below the root.")
    ],
    workers: Annotated[int | None, typer.Option(help="Worker processes; as many as there are cores.")] = None,
    root: Root = None,
    stack: StackName = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Json = False,
) -> None:
    """Finish a render from its folder, whoever began it: what is missing is rendered, and the video is made."""
    with reported(as_json):
        console = Console(stderr=True, quiet=quiet or as_json)
        with chosen(stack, root) as named:
            folder = find(render, named.renders)
            place = _allowing_what_was_asked_for(named, folder, workers) if isinstance(named, LocalStack) else named
        with ready_workers(place), prefect_api(console) as ui, place.storage():
            from flows.render import resume as resume_flow  # noqa: PLC0415 - after the API is known

            with RenderBar(folder, console):
                outcome = resume_flow(folder.prefix, place)
    if as_json:
        typer.echo(json.dumps({**outcome.model_dump(mode="json"), "ui": ui}))
    elif not quiet:
        _tell(outcome, ui)


def stills(
    finished: Annotated[
        str,
        typer.Argument(metavar="RENDER", help="A video, or a finished render: its folder, or its name below the root."),
    ],
    folder: Annotated[Path, typer.Option("-o", "--output", help="The folder for the pictures.")] = Path(),
    at: Annotated[float | None, typer.Option(help="The poster's moment in seconds; the most detailed one.")] = None,
    width: Annotated[int | None, typer.Option(min=16, help="The poster's width in px; the video's.")] = None,
    frames: Annotated[int, typer.Option(min=1, max=100, help="Frames on the contact sheet.")] = 12,
    columns: Annotated[int, typer.Option(min=1, max=20, help="Columns of the contact sheet.")] = 4,
    root: Root = None,
    stack: StackName = None,
    as_json: Json = False,
) -> None:
    """Make a poster and a contact sheet of a finished render, of any format, without rendering again."""
    with reported(as_json), chosen(stack, root) as place:
        fps: Fraction | None = None
        uri = uri_of(finished)
        if not is_video(finished):
            with folder_of(finished, place) as rendered:
                uri, fps = video_of(rendered)
        still, sheet = make_stills(uri, folder, fps=fps, at=at, frames=frames, columns=columns, width=width)
    if as_json:
        typer.echo(json.dumps({"poster": str(still), "contact_sheet": str(sheet)}))
    else:
        typer.echo(f"{still}\n{sheet}")


def _variables(given: str | None) -> dict[str, Any]:
    if not given:
        return {}
    try:
        values = json.loads(Path(given[1:]).read_text("utf-8") if given.startswith("@") else given)
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"--variables cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise InvalidConfig("--variables is not a JSON object.", resolution='Give it as {"name": value}.')
    return values


def _config(fields: dict[str, Any]) -> Config:
    return parse_config({name: value for name, value in fields.items() if value is not None})


def _request(
    project: Path, output: Path, config: Config, root: Path | None, workers: int | None
) -> tuple[RenderRequest, LocalStack]:
    request = RenderRequest(project=uri_of(str(project)), output=uri_of(str(output)), config=config)
    allowed = (project.resolve(), output.absolute().parent)
    stack = LocalStack(root=(root or default_root()).absolute(), allowed=allowed)
    stack = stack.model_copy(update={"processes": workers}) if workers else stack
    check(request, stack)
    return request, stack


def _run(request: RenderRequest, stack: LocalStack, *, fresh: bool, console: Console) -> tuple[RenderOutcome, str]:
    request = pinned(request, stack)
    folder = RenderFolder(render_folder(request, stack))
    with ready_workers(stack) as workers, stack.storage():
        if fresh:
            storage.delete_all(folder.prefix, filter(is_part, storage.listing(folder.prefix)))
        # A mark of before is no mark of this run: the plan would hear it, too.
        storage.delete(folder.cancel)
        workers.begin(to_wire(plan_event(request, stack)))
        with prefect_api(console) as ui:
            from flows.render import render as render_flow  # noqa: PLC0415 - after the API is known

            with RenderBar(folder, console):
                return render_flow(request, stack), ui


def _allowing_what_was_asked_for(stack: LocalStack, folder: RenderFolder, workers: int | None) -> LocalStack:
    """The stack, with the folder, its project and its video allowed: who resumes a render on a shell may touch them."""
    where = storage.path_of(folder.prefix)
    with storage.allowing([where]):
        request = recorded(folder.prefix)
    allowed = (where, storage.path_of(request.project), storage.path_of(request.output).parent)
    return stack.model_copy(update={"allowed": allowed, **({"processes": workers} if workers else {})})


def _tell(outcome: RenderOutcome, ui: str) -> None:
    path = storage.path_of(outcome.output) if outcome.output.startswith("file:") else outcome.output
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n[bold green]{path}[/bold green]")
    console.print(
        f"{size(outcome.size_bytes)}, {outcome.duration:g} s of {outcome.width} × {outcome.height} px at "
        f"{outcome.fps} frames/s ({outcome.frames} frames)"
    )
    found = f"; {outcome.chunks_found} of {outcome.chunks} chunks were there already" if outcome.chunks_found else ""
    console.print(f"rendered in {lasting(outcome.seconds)}{found}")
    for warning in outcome.warnings:
        console.print(f"[yellow]warning[/yellow]  {plain(warning)}")
    console.print(f"The run, in the Prefect UI: {ui}/runs   (stop the server: prefect-hyperframes server stop)")
