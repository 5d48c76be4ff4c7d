"""The handler without a picture: it plays the roles on a real render folder, and finds what is there already."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulated import Asked

from lambda_handler import storage
from lambda_handler.cut import max_parallel_chunks
from lambda_handler.errors import RenderError
from lambda_handler.events import (
    AssembleEvent,
    AssembleResult,
    PlanEvent,
    PlanResult,
    RenderChunkEvent,
    RenderChunkResult,
    parse,
    to_wire,
)
from lambda_handler.handler import on_the_wire
from lambda_handler.manifest import Capture, Encoder, Manifest, Tools, digest, load, load_checked
from lambda_handler.plan import record_request
from lambda_handler.progress import Heartbeat
from lambda_handler.render_folder import RenderFolder

FRAMES = 10


@dataclass
class Worker:
    """A composition of `chunks` chunks, ten frames each. `before` sees each event and which attempt it is, and may
    raise; a frame takes `frame_seconds`."""

    chunks: int
    before: Callable[[Asked, int], None] = lambda _event, _attempt: None
    frame_seconds: float = 0.0
    beats: bool = True
    rendered: list[int] = field(default_factory=list)
    _attempts: Counter[object] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Plays the role, and reports errors as the handler does."""
        try:
            asked = parse(event)
            with self._lock:
                which = (asked.action, getattr(asked, "chunk_index", None))
                self._attempts[which] += 1
                attempt = self._attempts[which]
            self.before(asked, attempt)
            return to_wire(self._played(asked))
        except RenderError as error:
            raise on_the_wire(error) from error

    def attempts(self, action: str, chunk: int | None = None) -> int:
        """How often a role was asked for."""
        return self._attempts[action, chunk]

    def _played(self, asked: Asked) -> PlanResult | RenderChunkResult | AssembleResult:
        match asked:
            case PlanEvent():
                return self._plan(asked)
            case RenderChunkEvent():
                return self._chunk(asked)
            case AssembleEvent():
                return self._assemble(asked)

    def _plan(self, asked: PlanEvent) -> PlanResult:
        folder = RenderFolder(asked.plan_output_s3_prefix)
        record_request(asked)
        request = digest([asked.project_s3_uri, asked.config.model_dump(mode="json")])
        manifest = load(folder.manifest)
        if manifest is None or manifest.request_digest != request:
            manifest = _manifest(request, self.chunks)
            storage.write(folder.manifest, manifest.model_dump_json(by_alias=True).encode())
        return PlanResult(
            plan_hash=manifest.plan_hash,
            plan_v2_manifest_s3_uri=folder.manifest,
            plan_v2_artifact_s3_prefix=folder.artifacts,
            chunk_count=self.chunks,
            chunk_indices=tuple(range(self.chunks)),
            max_parallel_chunks=max_parallel_chunks(asked.config, self.chunks),
            total_frames=manifest.total_frames,
            fps=manifest.fps,
            width=manifest.width,
            height=manifest.height,
            format=manifest.format,
            has_audio=False,
            audio_s3_uri=None,
            ffmpeg_version=manifest.tools.ffmpeg_version,
            producer_version=manifest.tools.producer,
            duration_ms=1,
        )

    def _chunk(self, asked: RenderChunkEvent) -> RenderChunkResult:
        folder = RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri)
        manifest = load_checked(folder.manifest, asked.plan_hash, asked.format)
        index = asked.chunk_index
        uri = folder.chunk_uris(manifest)[index]
        content = f"{manifest.chunk_name(index)}\n".encode()
        found = storage.exists(uri)
        if not found:
            folder.check_cancelled()
            if self.beats:
                heartbeat = Heartbeat(folder, index, FRAMES)
                for done in range(FRAMES):
                    heartbeat.beat(done)
                    time.sleep(self.frame_seconds)
                heartbeat.beat(FRAMES)
            storage.write(uri, content)
            self.rendered.append(index)
        return RenderChunkResult(
            chunk_s3_uri=uri,
            chunk_index=index,
            sha256=hashlib.sha256(content).hexdigest(),
            frames_encoded=FRAMES,
            frames_captured=0 if found else FRAMES,
            duration_ms=1,
        )

    def _assemble(self, asked: AssembleEvent) -> AssembleResult:
        folder = RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri)
        manifest = load_checked(folder.manifest, asked.plan_hash, asked.format)
        parts = [storage.read(uri) for uri in folder.chunk_uris(manifest)]
        return finished(asked, folder, manifest, parts)


def finished(asked: AssembleEvent, folder: RenderFolder, manifest: Manifest, parts: list[bytes]) -> AssembleResult:
    """Puts the parts, one after another, where the video goes, and writes the report."""
    video = b"".join(parts)
    storage.write(asked.output_s3_uri, video)
    report = {
        "planHash": manifest.plan_hash,
        "outputUri": asked.output_s3_uri,
        "sha256": hashlib.sha256(video).hexdigest(),
        "sizeBytes": len(video),
        "frames": manifest.total_frames,
        "fps": manifest.fps,
        "format": manifest.format,
        "width": manifest.width,
        "height": manifest.height,
        "durationSeconds": float(manifest.total_frames / manifest.rate),
        "hasAudio": False,
        "chunks": [
            {"index": index, "startFrame": start, "endFrame": end, "sizeBytes": len(part)}
            for index, ((start, end), part) in enumerate(zip(manifest.chunks, parts, strict=True))
        ],
        "seamsChecked": len(parts) - 1,
        "producerVersion": manifest.tools.producer,
        "finishedAt": "2026-11-25T00:00:00+00:00",
        "executionArn": asked.execution_arn,
        "warnings": [],
        "cost": None,
    }
    storage.write(folder.report, json.dumps(report).encode())
    return AssembleResult(
        output_s3_uri=asked.output_s3_uri,
        frames_encoded=manifest.total_frames,
        file_size=len(video),
        duration_ms=1,
    )


def _manifest(request: str, chunks: int) -> Manifest:
    return Manifest(
        request_digest=request,
        composition="main",
        fps="30",
        width=320,
        height=180,
        duration=chunks * FRAMES / 30,
        total_frames=chunks * FRAMES,
        format="mp4",
        chunks=tuple((index * FRAMES, (index + 1) * FRAMES) for index in range(chunks)),
        tools=Tools(
            producer="simulated",
            chromium="none",
            chromium_arguments=(),
            ffmpeg="none",
            ffmpeg_version="none",
            runtime="none",
        ),
        capture=Capture(width=320, height=180, scale=1, pictures="bgra", transparent=False, webgpu=False, untimed=()),
        encoder=Encoder(codec="h264", preset="medium", crf=18, bitrate=None),
        artifacts=(),
        videos=(),
        warnings=(),
        measured_ms_per_frame=1.0,
    )
