"""Assemble: the chunks become one video by stream copy, verified before it is published."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from lambda_handler import chunk_stills, profile, storage, toolchain, usage
from lambda_handler.audio.check import check_length, check_muxed
from lambda_handler.errors import ChunkInvalid, EncoderInterrupted, InvalidConfig, OutputInvalid, RenderError
from lambda_handler.events import AssembleEvent, AssembleResult
from lambda_handler.join import finish, join, join_pictures
from lambda_handler.limits import Telling, unless_cancelled
from lambda_handler.manifest import Manifest, load_checked
from lambda_handler.media import VideoStream, tags, video_stream
from lambda_handler.progress import profiles
from lambda_handler.render_folder import RenderFolder
from lambda_handler.site import TRANSFERS, materialise
from lambda_handler.stills import POSTER_WIDTH, Film, contact_sheet, poster, sheet_frames


def assemble(event: AssembleEvent, at: Telling, record: str | None = None) -> AssembleResult:
    """Joins all chunks of the plan into the video at `output_s3_uri`, and writes the report.

    `at` is told what it is doing; `record` is the name of this invocation's own in the folder's attempts.
    """
    started = time.monotonic()
    folder = RenderFolder.of_manifest(event.plan_v2_manifest_s3_uri)
    manifest = load_checked(folder.manifest, event.plan_hash, event.format)
    if event.cfr and not manifest.output.constant:
        raise InvalidConfig(f"Cfr: format {manifest.format} cannot give every frame exactly the same time.")
    chunks = event.chunk_s3_uris or folder.chunk_uris(manifest)
    _check_order(chunks, manifest)
    if event.audio_s3_uri not in (None, folder.audio_uri(manifest)):
        raise InvalidConfig(f"AudioS3Uri: {event.audio_s3_uri} is not the plan's sound ({folder.audio_uri(manifest)}).")
    storage.locate(event.output_s3_uri)
    step = unless_cancelled(at, folder)
    with TemporaryDirectory(prefix="hf-assemble-") as scratch:
        step(f"The {len(chunks)} chunks were being fetched")
        parts = _fetched(chunks, Path(scratch))
        sound = _sound(manifest, folder, Path(scratch))
        video = Path(scratch) / f"video{manifest.output.suffix}"
        step(f"{manifest.total_frames} frames were being joined, and verified,")
        _made(parts, sound, video, manifest)
        step("The video was verified and being stored", last=True)
        storage.upload(video, event.output_s3_uri)
        at("The video was stored, and its stills and report being made", last=True)
        untold = _write_stills(video, manifest, folder)
        result = AssembleResult(
            output_s3_uri=event.output_s3_uri,
            frames_encoded=manifest.total_frames,
            file_size=video.stat().st_size,
            duration_ms=round((time.monotonic() - started) * 1000),
        )
        report = _report(event, manifest, video, parts) | {
            "executionArn": event.execution_arn,
            "warnings": [*manifest.warnings, *untold],
            "profileMs": profile.total(profiles(folder, len(manifest.chunks))),
            "cost": usage.report(folder, manifest, started, event.execution_arn, record),
        }
        storage.write(folder.report, json.dumps(report, indent=2).encode())
    return result


def _made(parts: list[Path], sound: Path | None, video: Path, manifest: Manifest) -> None:
    """Joins the chunks and the sound into what is published, and checks that it is exactly them.

    Raises ChunkInvalid, OutputInvalid, EncoderInterrupted.
    """
    if manifest.format == "png-sequence":
        join_pictures(parts, video, manifest, sound)
        return
    chunks = [_checked_chunk(part, manifest, index) for index, part in enumerate(parts)]
    joined = video.with_name(f"joined{manifest.output.chunk_suffix}")
    join(parts, joined, manifest)
    finish(joined, video, manifest, sound)
    gif = manifest.format == "gif"
    listed = video_stream(toolchain.ffmpeg(), video, decode=gif)
    # A GIF is drawn from the joined pictures, any other video holds them.
    _check_pictures(video_stream(toolchain.ffmpeg(), joined, decode=False) if gif else listed, chunks)
    _check_times(listed, manifest)
    if manifest.format == "webm" and tags(toolchain.ffmpeg(), video).get("alpha_mode") != "1":
        raise OutputInvalid("The video does not say that it has alpha, so players would not look for it.")
    if sound:
        check_muxed(toolchain.ffmpeg(), video, check_length(toolchain.ffmpeg(), sound, _seconds(manifest)))


def _sound(manifest: Manifest, folder: RenderFolder, scratch: Path) -> Path | None:
    if manifest.audio is None:
        return None
    return materialise([manifest.audio], folder.artifacts, scratch)[manifest.audio.path]


def _seconds(manifest: Manifest) -> Fraction:
    return manifest.total_frames / manifest.rate


def _write_stills(video: Path, manifest: Manifest, folder: RenderFolder) -> tuple[str, ...]:
    """A warning where they cannot be made: the video is verified and in its place, and no failure."""
    shown = Film(video, manifest.total_frames, manifest.rate, manifest.width, manifest.height)
    try:
        pictures = chunk_stills.stored(manifest, folder)
        sheet, most_detailed = contact_sheet(shown, pictures=pictures)
        if pictures:
            still = pictures[sheet_frames(shown.frames).index(most_detailed)]
        else:
            still = poster(shown, most_detailed, POSTER_WIDTH)
    except RenderError as error:
        return (f"There are no stills: {error.summary}",)
    storage.write(folder.contact_sheet, sheet)
    storage.write(folder.poster, still)
    return ()


def _check_order(uris: tuple[str, ...], manifest: Manifest) -> None:
    names = tuple(uri.rpartition("/")[2] for uri in uris)
    wanted = tuple(manifest.chunk_name(index) for index in range(len(manifest.chunks)))
    if names != wanted:
        wrong = next((pair for pair in zip(names, wanted, strict=False) if pair[0] != pair[1]), None)
        told = f"{wrong[0]} stands where {wrong[1]} belongs" if wrong else f"{len(names)} of {len(wanted)} are named"
        raise InvalidConfig(f"ChunkS3Uris: the chunks are not those of the plan in their order; {told}.")


def _fetched(uris: tuple[str, ...], scratch: Path) -> list[Path]:
    def fetched(uri: str) -> Path:
        part = scratch / uri.rpartition("/")[2]
        try:
            storage.download(uri, part)
        except FileNotFoundError as error:
            raise ChunkInvalid(f"The chunk {uri} is missing.") from error
        return part

    with ThreadPoolExecutor(TRANSFERS) as pool:
        return list(pool.map(fetched, uris))


def _checked_chunk(part: Path, manifest: Manifest, index: int) -> VideoStream:
    try:
        stream = video_stream(toolchain.ffmpeg(), part, decode=False)
    except EncoderInterrupted as error:
        raise ChunkInvalid(f"Chunk {index} cannot be read: {error.summary}") from error
    if len(stream.packets) != len(manifest.chunk(index)) or not stream.packets[0].key:
        raise ChunkInvalid(f"Chunk {index} has {len(stream.packets)} frames, not {len(manifest.chunk(index))}.")
    return stream


def _check_pictures(stream: VideoStream, chunks: list[VideoStream]) -> None:
    """Raises OutputInvalid unless the video's pictures are those of its chunks, one after another, alpha included."""
    found = [packet.content for packet in stream.packets]
    if found != [packet.content for chunk in chunks for packet in chunk.packets]:
        raise OutputInvalid("The video's pictures are not those of its chunks.")


def _check_times(stream: VideoStream, manifest: Manifest) -> None:
    """Raises OutputInvalid unless the video has every frame at its time, in its size."""
    if len(stream.packets) != manifest.total_frames:
        raise OutputInvalid(f"The video has {len(stream.packets)} frames, the plan {manifest.total_frames}.")
    if not stream.keeps_rate(manifest.rate):
        raise OutputInvalid(f"The video's frames do not stand at {manifest.fps} frames per second.")
    if (stream.width, stream.height) != (manifest.width, manifest.height):
        raise OutputInvalid(
            f"The video is {stream.width} x {stream.height} px, not {manifest.width} x {manifest.height}."
        )


def _report(event: AssembleEvent, manifest: Manifest, video: Path, parts: list[Path]) -> dict[str, object]:
    return {
        "planHash": manifest.plan_hash,
        "outputUri": event.output_s3_uri,
        "sha256": toolchain.sha256_of(video),
        "sizeBytes": video.stat().st_size,
        "frames": manifest.total_frames,
        "fps": manifest.fps,
        "format": manifest.format,
        "width": manifest.width,
        "height": manifest.height,
        "durationSeconds": float(_seconds(manifest)),
        "hasAudio": manifest.audio is not None,
        "pictures": manifest.capture.pictures,
        "chunks": [
            {"index": index, "startFrame": start, "endFrame": end, "sizeBytes": part.stat().st_size}
            for index, ((start, end), part) in enumerate(zip(manifest.chunks, parts, strict=True))
        ],
        "seamsChecked": len(parts) - 1,
        "producerVersion": manifest.tools.producer,
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }
