"""Plan: a project becomes a frozen page, a frame grid and a slicing; the manifest is written last."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from lambda_handler import archive, encode, storage, toolchain, usage
from lambda_handler.audio.soundtrack import soundtrack
from lambda_handler.browser import arguments, launched
from lambda_handler.compile.fetch import Network
from lambda_handler.compile.fonts import FontStrictness
from lambda_handler.compile.page import CompiledPage, compile_page, init_script
from lambda_handler.cut import cut, max_parallel_chunks, measured
from lambda_handler.errors import (
    CompositionInvalid,
    InvalidConfig,
    PageAssetMissing,
    PlanTooLarge,
    ProjectError,
    ProjectNotFound,
)
from lambda_handler.events import FRAME_RATES, Config, PlanEvent, PlanResult, to_wire
from lambda_handler.formats import FASTEST_GIF, FORMATS
from lambda_handler.grid import total_frames
from lambda_handler.limits import Telling, unless_cancelled
from lambda_handler.manifest import SCHEMA, Capture, Manifest, Tools, digest, load
from lambda_handler.media_clips import MediaClip, clips
from lambda_handler.media_sources import MediaSource, page_facts, probe, probe_all
from lambda_handler.page.session import opened
from lambda_handler.render_folder import RenderFolder
from lambda_handler.resolution import device_scale
from lambda_handler.site import INIT_SCRIPT, are_there, publish, publish_one, stage
from lambda_handler.video.freeze import check_decodable, frozen
from lambda_handler.video.player import playing

DEFAULT_FPS = "30"


def plan(event: PlanEvent, at: Telling) -> PlanResult:
    """Plans the render; a plan of the very same request that is already there, and whole, is returned as it is.

    `at` is told what it is doing.
    """
    started = time.monotonic()
    folder = RenderFolder(event.plan_output_s3_prefix)
    storage.locate(folder.manifest)
    if event.output_s3_uri is not None:
        storage.locate(event.output_s3_uri)
    record_request(event)
    step = unless_cancelled(at, folder)
    with TemporaryDirectory(prefix="hf-plan-") as scratch:
        project = Path(scratch) / "project"
        step("The project was being fetched")
        fetch_project(event.project_s3_uri, project)
        request = request_digest(project, event.config)
        found = load(folder.manifest)
        manifest = found if found and found.request_digest == request else None
        if manifest is None or not are_there(manifest.stored, folder.artifacts):
            made = _made(event.config, project, request, folder, Path(scratch), step)
            # What had expired is stored again. The cut depends on how fast this machine was just now, so it stays.
            manifest = manifest if manifest and manifest.plan_hash == made.plan_hash else made
            storage.write(folder.manifest, manifest.model_dump_json(by_alias=True).encode())
    return PlanResult(
        plan_hash=manifest.plan_hash,
        plan_v2_manifest_s3_uri=folder.manifest,
        plan_v2_artifact_s3_prefix=folder.artifacts,
        chunk_count=len(manifest.chunks),
        chunk_indices=tuple(range(len(manifest.chunks))),
        max_parallel_chunks=max_parallel_chunks(event.config, len(manifest.chunks)),
        total_frames=manifest.total_frames,
        fps=manifest.fps,
        width=manifest.width,
        height=manifest.height,
        format=manifest.format,
        has_audio=manifest.audio is not None,
        audio_s3_uri=folder.audio_uri(manifest),
        ffmpeg_version=manifest.tools.ffmpeg_version,
        producer_version=manifest.tools.producer,
        duration_ms=round((time.monotonic() - started) * 1000),
        estimated_cost_usd=usage.estimated_usd(manifest, started),
    )


def record_request(event: PlanEvent) -> None:
    """Leaves the request in the render folder: with it, and nothing else, the render can be resumed."""
    asked = {name: value for name, value in to_wire(event).items() if name not in ("Action", "PlanProtocol")}
    storage.write(RenderFolder(event.plan_output_s3_prefix).request, json.dumps(asked, indent=1).encode())


def fetch_project(uri: str, target: Path) -> None:
    """Puts the project at `uri`, a folder (file:// only) or a .tar.gz, into `target`.

    Raises ProjectNotFound, ProjectArchiveInvalid, UriNotAllowed.
    """
    target.mkdir(parents=True)
    if urlsplit(uri).scheme == "file" and storage.local_path(uri).is_dir():
        archive.copy_project(storage.local_path(uri), target)
        return
    packed = target.with_suffix(".tar.gz")
    try:
        storage.download(uri, packed)
    except FileNotFoundError as error:
        raise ProjectNotFound(f"There is no project at {uri}.") from error
    archive.unpack_project(packed, target, name=uri)


def request_digest(project: Path, config: Config) -> str:
    """What a plan was made from: the project's bytes, the request, and the worker that made it."""
    tools = [toolchain.chromium().identity, toolchain.ffmpeg().identity, toolchain.page_runtime().identity]
    asked = config.model_dump(mode="json")
    return digest([SCHEMA, archive.project_digest(project), asked, tools, producer_version()])


@cache
def producer_version() -> str:
    """The project's version and a digest of the worker's sources, which decide what is drawn."""
    folder = Path(__file__).parent
    sources = sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".js"))
    told = digest([path.relative_to(folder).as_posix(), toolchain.sha256_of(path)] for path in sources)
    return f"{version('prefect-hyperframes')}+{told[:12]}"


def _made(config: Config, project: Path, request: str, folder: RenderFolder, scratch: Path, at: Telling) -> Manifest:
    at("The page was being compiled, and what it asks for fetched,")
    page = compile_page(
        project,
        config.entry_file,
        config.variables,
        node_modules=toolchain.node_modules(),
        runtime=toolchain.page_runtime().script,
        fetch=Network(),
        fonts=FontStrictness(
            fail_closed_fetch=config.fail_closed_font_fetch, reject_system=config.reject_on_system_fonts
        ),
    )
    taken = _capture(config, page)
    fps = _frame_rate(config, page)
    rate = Fraction(fps)
    if page.duration is not None:
        total_frames(page.duration, rate)
    site = stage(page.files, scratch)
    _check_bytes(site, config.plan_dir_size_limit_bytes)
    strict = config.strictness == "strict"
    sources, unusable = _probed(page.media, site, strict)
    script = init_script(float(rate), page_facts(sources), page.animated)
    size = {"width": page.width, "height": page.height, "scale": taken.scale}
    at("The page was being made ready")
    with (
        launched(toolchain.chromium(), **size, webgpu=taken.webgpu) as browser,
        opened(browser, site, script, taken.pictures, **size, fps=float(rate)) as composition,
    ):
        untimed = composition.make_ready(())
        composition.require_software_gpu(webgpu=taken.webgpu)
        composition.require_authored_videos()
        if taken.pictures == "bgra" and not composition.shows_window:
            # What loses nothing has to be given pictures that lost nothing.
            taken = taken.model_copy(update={"pictures": "jpeg" if config.format == "mp4" else "png"})
        if taken.transparent:
            composition.clear_background()
        # A script or a variable may have given an element another file.
        named = {clip["source"] for clip in composition.media()}
        if unknown := sorted(named - {None, *sources, *unusable}):
            added, unusable_too = _probed(unknown, site, strict)
            sources, unusable = sources | added, unusable | unusable_too
            composition.know_media(page_facts(added))
        duration = page.duration if page.duration is not None else composition.duration()
        frames = total_frames(duration, rate)
        found, unheard = _usable(clips(composition.media(), duration), unusable)
        videos, tables = frozen(found, sources, config.video_frame_format)
        site |= stage(tables, scratch)
        at("The videos were being looked at, and a few frames drawn,")
        check_decodable(toolchain.ffmpeg(), videos, sources, site, rate)
        with playing(toolchain.ffmpeg(), videos, site, rate) as player:
            composition.show(player)
            speed = measured(composition, taken.pictures, frames, rate)
        composition.problems.check()
        at("The sound was being mixed")
        sound = soundtrack(
            composition,
            browser,
            found,
            sources,
            site,
            root=page.composition,
            frames=frames,
            fps=rate,
            video_format=config.format,
            strict=strict,
            folder=scratch,
        )
        told = composition.problems.warnings()
    at("The plan's files were being stored", last=True)
    # Media that the page itself did not ask for: the videos' go to the chunks that show them, sounds nowhere.
    unasked = {*sources, *tables} - composition.asked_for
    shown = unasked & {path for clip in videos for path in (clip.source, clip.table)}
    site = {path: file for path, file in site.items() if path in shown or path not in unasked}
    site |= stage({INIT_SCRIPT: init_script(float(rate), page_facts(sources), page.animated).encode()}, scratch)
    silent = tuple(f"Composition {name} registers no timeline." for name in untimed)
    return Manifest(
        request_digest=request,
        composition=page.composition,
        fps=fps,
        width=page.width * taken.scale,
        height=page.height * taken.scale,
        duration=duration,
        total_frames=frames,
        format=config.format,
        chunks=tuple((part.start, part.end) for part in cut(config, frames, speed)),
        tools=tools(taken),
        capture=taken.model_copy(update={"untimed": untimed}),
        encoder=encode.encoder_for(config),
        artifacts=publish(site, folder.artifacts, shown),
        videos=videos,
        audio=publish_one(f"audio{sound.file.suffix}", sound.file, folder.artifacts, "sound") if sound.file else None,
        warnings=(*page.warnings, *silent, *told, *unheard, *sound.warnings),
        measured_ms_per_frame=round(speed.milliseconds, 1),
    )


def _probed(
    paths: Iterable[str], site: Mapping[str, Path], strict: bool
) -> tuple[dict[str, MediaSource], dict[str, ProjectError]]:
    """What is in the media files at `paths` and, unless `strict`, why others of them cannot be used."""
    for path in paths:
        if path not in site:
            raise PageAssetMissing(f"A video or audio element asks for {path}, which is not part of the plan.")
    files = {path: site[path] for path in paths}
    if strict:
        return probe_all(toolchain.ffmpeg(), files), {}
    sources, unusable = {}, {}
    for path, file in files.items():
        try:
            sources[path] = probe(toolchain.ffmpeg(), file, path)
        except ProjectError as error:
            unusable[path] = error
    return sources, unusable


def _usable(
    found: tuple[MediaClip, ...], unusable: Mapping[str, ProjectError]
) -> tuple[tuple[MediaClip, ...], tuple[str, ...]]:
    """The clips whose file can be used, and a warning for each sound that is not heard. A video raises its error."""
    for clip in found:
        if clip.source in unusable and clip.tag == "video":
            raise unusable[clip.source]
    unheard = [clip for clip in found if clip.source in unusable]
    warnings = (f'<audio id="{clip.render_id}"> is not heard: {unusable[clip.source].summary}' for clip in unheard)
    return tuple(clip for clip in found if clip not in unheard), tuple(warnings)


def tools(taken: Capture) -> Tools:
    """What this worker would take and encode such pictures with."""
    ffmpeg = toolchain.ffmpeg()
    return Tools(
        producer=producer_version(),
        chromium=toolchain.chromium().identity,
        chromium_arguments=arguments(taken.width, taken.height, taken.scale, webgpu=taken.webgpu),
        ffmpeg=ffmpeg.identity,
        ffmpeg_version=ffmpeg.version,
        runtime=toolchain.page_runtime().identity,
    )


def _capture(config: Config, page: CompiledPage) -> Capture:
    """How the pictures are taken, as far as it is known before the page is open."""
    _check_size(config, page)
    output = FORMATS[config.format]
    scale = device_scale(
        config.output_resolution,
        any_orientation=config.output_resolution_aspect_agnostic,
        width=page.width,
        height=page.height,
    )
    for name, size in (("width", page.width), ("height", page.height)):
        if output.even and size * scale % 2:
            raise CompositionInvalid(
                f"{config.format} video has even sizes only, and data-{name} is {size}.",
                resolution=f"Set data-{name} to {size + 1}, or ask for mov, webm, png-sequence or gif.",
            )
    return Capture(
        width=page.width,
        height=page.height,
        scale=scale,
        pictures="png" if output.alpha else "bgra",
        transparent=output.alpha,
        webgpu=page.webgpu,
        untimed=(),
    )


def _check_bytes(site: Mapping[str, Path], limit: int) -> None:
    size = sum(file.stat().st_size for file in site.values())
    if size > limit:
        raise PlanTooLarge(
            f"The plan's files have {size} bytes, and planDirSizeLimitBytes is {limit}.",
            resolution="Leave unused files out of the project, or raise planDirSizeLimitBytes.",
        )


def _check_size(config: Config, page: CompiledPage) -> None:
    for name, asked, found in (("width", config.width, page.width), ("height", config.height, page.height)):
        if asked is not None and asked != found:
            raise InvalidConfig(
                f"Config.{name} is {asked}, and the composition's data-{name} is {found}.",
                resolution="Leave width and height out, or ask for the composition's own size.",
            )


def _frame_rate(config: Config, page: CompiledPage) -> str:
    authored = (page.fps or "").strip()
    fps = config.fps or (authored if authored in FRAME_RATES else DEFAULT_FPS)
    if config.format == "gif" and Fraction(fps) > FASTEST_GIF:
        raise InvalidConfig(
            f"fps: format gif shows at most {FASTEST_GIF} frames a second, and the composition's data-fps is {fps}.",
            resolution="Ask for fps 50 or less.",
        )
    return fps
