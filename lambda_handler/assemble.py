"""Assemble: the chunks become one video by stream copy, verified before it is published."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import ffmpeg

from lambda_handler import encode, storage, toolchain
from lambda_handler.errors import ChunkInvalid, EncoderInterrupted, InvalidConfig, OutputInvalid
from lambda_handler.events import AssembleEvent, AssembleResult
from lambda_handler.manifest import Manifest, load_checked
from lambda_handler.media import Packet, VideoStream, video_stream
from lambda_handler.render_folder import RenderFolder
from lambda_handler.site import TRANSFERS


def assemble(event: AssembleEvent) -> AssembleResult:
    """Joins all chunks of the plan into the video at `output_s3_uri`, and writes the report."""
    started = time.monotonic()
    folder = RenderFolder.of_manifest(event.plan_v2_manifest_s3_uri)
    manifest = load_checked(folder.manifest, event.plan_hash)
    chunks = event.chunk_s3_uris or folder.chunk_uris(manifest)
    _check_order(chunks, manifest)
    storage.locate(event.output_s3_uri)
    with TemporaryDirectory(prefix="hf-assemble-") as scratch:
        parts = _fetched(chunks, Path(scratch))
        streams = [_checked_chunk(part, manifest, index) for index, part in enumerate(parts)]
        video = Path(scratch) / f"video.{manifest.format}"
        join(parts, video, manifest)
        stream = _checked_video(video, manifest, streams)
        storage.upload(video, event.output_s3_uri)
        result = AssembleResult(
            output_s3_uri=event.output_s3_uri,
            frames_encoded=len(stream.packets),
            file_size=video.stat().st_size,
            duration_ms=round((time.monotonic() - started) * 1000),
        )
        storage.write(folder.report, json.dumps(_report(event, manifest, video, streams), indent=2).encode())
    return result


def join(parts: list[Path], video: Path, manifest: Manifest) -> None:
    """Stream-copies `parts` one after another into `video`, its index first. Raises EncoderInterrupted."""
    listed = video.with_suffix(".txt")
    listed.write_text("".join(f"file '{part}'\n" for part in parts))
    joined = (
        ffmpeg.input(str(listed), format="concat", safe=0)
        .output(
            str(video),
            c="copy",
            movflags="+faststart",
            video_track_timescale=encode.timescale(manifest.rate),
            fflags="+bitexact",
            map_metadata=-1,
        )
        .global_args("-hide_banner", "-loglevel", "error", "-nostats", "-y")
    )
    command = ffmpeg.compile(joined, cmd=str(toolchain.ffmpeg().executable))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise encode.failure(done.stderr)


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


def _checked_video(video: Path, manifest: Manifest, chunks: list[VideoStream]) -> VideoStream:
    """Raises OutputInvalid unless the video is exactly its chunks, one after another, at the exact rate."""
    stream = video_stream(toolchain.ffmpeg(), video, decode=False)
    parts: list[Packet] = [packet for chunk in chunks for packet in chunk.packets]
    if len(stream.packets) != manifest.total_frames:
        raise OutputInvalid(f"The video has {len(stream.packets)} frames, the plan {manifest.total_frames}.")
    if [packet.content for packet in stream.packets] != [packet.content for packet in parts]:
        raise OutputInvalid("The video's pictures are not those of its chunks.")
    if not stream.keeps_rate(manifest.rate):
        raise OutputInvalid(f"The video's frames do not stand at {manifest.fps} frames per second.")
    return stream


def _report(event: AssembleEvent, manifest: Manifest, video: Path, chunks: list[VideoStream]) -> dict[str, object]:
    rate = manifest.rate
    return {
        "planHash": manifest.plan_hash,
        "outputUri": event.output_s3_uri,
        "sha256": toolchain.sha256_of(video),
        "sizeBytes": video.stat().st_size,
        "frames": manifest.total_frames,
        "fps": manifest.fps,
        "width": manifest.width,
        "height": manifest.height,
        "durationSeconds": float(manifest.total_frames / rate),
        "chunks": [
            {
                "index": index,
                "startFrame": start,
                "endFrame": end,
                "sizeBytes": sum(p.size for p in chunk.packets),
            }
            for index, ((start, end), chunk) in enumerate(zip(manifest.chunks, chunks, strict=True))
        ],
        "seamsChecked": len(chunks) - 1,
        "warnings": manifest.warnings,
        "producerVersion": manifest.tools.producer,
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }
