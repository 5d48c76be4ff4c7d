"""Render chunk: one range of frames, captured, encoded, verified, and put under the name of what made it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lambda_handler import capture, chunk_stills, encode, png_sequence, standstill, storage, toolchain
from lambda_handler.browser import arguments, launched
from lambda_handler.errors import BrowserMismatch, ChunkInvalid, EncoderInterrupted, FfmpegMismatch
from lambda_handler.events import RenderChunkEvent, RenderChunkResult
from lambda_handler.formats import PictureKind
from lambda_handler.grid import FrameRange
from lambda_handler.manifest import Manifest, load_checked
from lambda_handler.media import video_stream
from lambda_handler.page.session import opened
from lambda_handler.picture_stream import PictureStream
from lambda_handler.profile import Profile
from lambda_handler.progress import Heartbeat
from lambda_handler.render_folder import RenderFolder
from lambda_handler.site import INIT_SCRIPT, materialise
from lambda_handler.video.player import playing


def render_chunk(event: RenderChunkEvent, check_deadline: Callable[[int, int], None]) -> RenderChunkResult:
    """Renders a chunk, unless a valid one is there. `check_deadline(done, total)` is asked between frames."""
    started = time.monotonic()
    folder = RenderFolder.of_manifest(event.plan_v2_manifest_s3_uri)
    manifest = load_checked(folder.manifest, event.plan_hash, event.format)
    check_tools(manifest)
    which = manifest.chunk(event.chunk_index)
    uri = storage.join(event.chunk_output_s3_prefix or folder.chunks, manifest.chunk_name(event.chunk_index))
    heartbeat = Heartbeat(folder, event.chunk_index, len(which))
    with TemporaryDirectory(prefix="hf-chunk-") as scratch:
        video = Path(scratch) / f"chunk{manifest.output.chunk_suffix}"
        captured, profile = 0, Profile()
        if not _fetched_whole(uri, video, manifest, which):
            folder.check_cancelled()

            def between_frames(done: int) -> None:
                heartbeat.beat(done)
                check_deadline(done, len(which))

            heartbeat.beat(0)
            stills = chunk_stills.wanted(manifest, which, Path(scratch))
            captured = _rendered(
                manifest, event.plan_v2_artifact_s3_prefix, which, video, stills, between_frames, profile
            )
            with profile.at("verify"):
                verify(video, manifest, which)
            with profile.at("store"):
                if stills:
                    chunk_stills.store(stills, event.chunk_index, manifest, folder)
                storage.upload(video, uri, expires=True)
        heartbeat.beat(len(which), profile.milliseconds() if captured else None)
        return RenderChunkResult(
            chunk_s3_uri=uri,
            chunk_index=event.chunk_index,
            sha256=toolchain.sha256_of(video),
            frames_encoded=len(which),
            frames_captured=captured,
            duration_ms=round((time.monotonic() - started) * 1000),
        )


def check_tools(manifest: Manifest) -> None:
    """Raises FfmpegMismatch, BrowserMismatch when this worker would draw or encode otherwise than the plan says."""
    ffmpeg, chromium = toolchain.ffmpeg(), toolchain.chromium()
    if ffmpeg.identity != manifest.tools.ffmpeg:
        raise FfmpegMismatch(
            f"This worker's ffmpeg is {ffmpeg.version} ({ffmpeg.identity[:12]}…), the plan was made for "
            f"{manifest.tools.ffmpeg_version} ({manifest.tools.ffmpeg[:12]}…)."
        )
    taken = manifest.capture
    if (chromium.identity, arguments(taken.width, taken.height, taken.scale, webgpu=taken.webgpu)) != (
        manifest.tools.chromium,
        manifest.tools.chromium_arguments,
    ):
        raise BrowserMismatch(
            f"This worker's Chromium ({chromium.identity[:12]}…), or its arguments, are not those of the plan "
            f"({manifest.tools.chromium[:12]}…)."
        )


def verify(video: Path, manifest: Manifest, which: FrameRange) -> None:
    """Raises ChunkInvalid unless the chunk has its frames at their times, begins with a key frame and decodes."""
    if manifest.format == "png-sequence":
        for _ in png_sequence.checked_frames([video], which, manifest.width, manifest.height):
            pass
        return
    try:
        decoder = encode.DECODERS.get(manifest.encoder.codec)
        stream = video_stream(toolchain.ffmpeg(), video, decode=True, decoder=decoder)
    except EncoderInterrupted as error:
        raise ChunkInvalid(f"Frames {which.start} to {which.end - 1} do not decode: {error.summary}") from error
    if len(stream.packets) != len(which):
        raise ChunkInvalid(f"The chunk has {len(stream.packets)} frames, and {len(which)} were asked for.")
    if not stream.keeps_rate(manifest.rate):
        raise ChunkInvalid(f"The chunk's frames do not stand at {manifest.fps} frames per second.")
    if not stream.packets[0].key:
        raise ChunkInvalid("The chunk does not begin with a key frame.")
    if (stream.width, stream.height) != (manifest.width, manifest.height):
        raise ChunkInvalid(
            f"The chunk is {stream.width} x {stream.height} px, not {manifest.width} x {manifest.height}."
        )


def _fetched_whole(uri: str, video: Path, manifest: Manifest, which: FrameRange) -> bool:
    try:
        storage.download(uri, video)
        verify(video, manifest, which)
    except (FileNotFoundError, ChunkInvalid):
        return False
    return True


def _rendered(
    manifest: Manifest,
    artifacts: str,
    which: FrameRange,
    video: Path,
    stills: encode.Stills | None,
    between_frames: Callable[[int], None],
    profile: Profile,
) -> int:
    """Captures and encodes; returns how many frames were really taken."""
    clips = [clip for clip in manifest.videos if clip.shows_in(which, manifest.rate)]
    taken = manifest.capture
    size = {"width": taken.width, "height": taken.height, "scale": taken.scale}
    captured = 0
    with ExitStack() as running:
        with profile.at("start"):
            needed = manifest.needed(which)
            files = materialise(needed, artifacts, video.parent / "artifacts")
            site = {each.path: files[each.path] for each in needed if each.role == "page"}
            script = site[INIT_SCRIPT].read_text("utf-8")
            browser = running.enter_context(launched(toolchain.chromium(), **size, webgpu=taken.webgpu))
            opening = opened(browser, site, script, taken.pictures, **size, fps=float(manifest.rate))
            page = running.enter_context(opening)
            videos = running.enter_context(playing(toolchain.ffmpeg(), clips, files, manifest.rate))
            page.make_ready(taken.untimed)
            page.show(videos)
            page.require_software_gpu(webgpu=taken.webgpu)
            if taken.transparent:
                page.clear_background()
        # The same pixels, where this worker may not read a window as the planning one did.
        kind: PictureKind = "png" if taken.pictures == "bgra" and not page.shows_window else taken.pictures
        with ExitStack() as encoding:
            write = encoding.enter_context(_writing(manifest, which, kind, video, stills))
            for frame in capture.frames(page, which, manifest.rate, kind, between_frames, profile):
                with profile.at("encode"):
                    write(frame)
                captured += frame.fresh
                with profile.at("tell"):
                    between_frames(frame.index - which.start + 1)
            with profile.at("encode"):
                encoding.close()
        page.problems.check()
        if kind == "bgra":
            page.check_window()
    return captured


@contextmanager
def _writing(
    manifest: Manifest, which: FrameRange, kind: PictureKind, video: Path, stills: encode.Stills | None
) -> Iterator[Callable[[capture.Frame], object]]:
    """What takes the frames one after another, and has made `video` of them at the end."""
    if manifest.format == "png-sequence":
        with png_sequence.writing(video) as add:
            yield lambda frame: add(png_sequence.name_of(frame.index), frame.picture)
        return
    tool = toolchain.ffmpeg()
    timed: dict[str, Any] = {"frames": len(which), "fps": manifest.rate}
    command = encode.arguments(tool, manifest.encoder, kind, **timed, output=video, stills=stills)
    with encode.encoding(command) as encoder:
        pictures = PictureStream(
            encoder,
            kind,
            **timed,
            width=manifest.width,
            height=manifest.height,
            told_repeats=encode.told_repeats(manifest.encoder),
        )
        yield lambda frame: pictures.add(frame.picture, fresh=frame.fresh)
    if pictures.standstills:
        standstill.fill(tool, video, pictures.standstills, manifest.rate)
