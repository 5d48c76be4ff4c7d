"""The handler's roles without a picture: every event is read and every result is written as the real ones do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
from lambda_handler.render_folder import RenderFolder

BUCKET = "videos-renderbucket-1a2b3c4d5e6f"
REQUEST: Mapping[str, Any] = {
    "ProjectS3Uri": f"s3://{BUCKET}/sites/0123456789abcdef/project.tar.gz",
    "PlanOutputS3Prefix": f"s3://{BUCKET}/renders/hf-render-0b5c7f5e-8f0f-4c9b-9a1e-2d6f3c1b7a90/",
    "OutputS3Uri": f"s3://{BUCKET}/renders/hf-render-0b5c7f5e-8f0f-4c9b-9a1e-2d6f3c1b7a90/output.mp4",
    "Config": {
        "fps": 30,
        "width": 1920,
        "height": 1080,
        "format": "mp4",
        "chunkSize": 240,
        "maxParallelChunks": 8,
        "runtimeCap": "lambda",
    },
}
"""What the reference deployment's client starts an execution with."""

Asked = PlanEvent | RenderChunkEvent | AssembleEvent


def coded(code: str) -> Exception:
    """An error as the handler raises it: its class is named by its code."""
    named: type[Exception] = type(code, (RuntimeError,), {})
    return named("It broke.\nMend it.")


@dataclass
class Roles:
    """A plan of `chunks` chunks, `parallel` of them at once. `before` sees each event, and may raise."""

    chunks: int
    parallel: int = 8
    before: Callable[[Asked, int], None] = lambda _event, _attempt: None
    events: list[Asked] = field(default_factory=list)
    peak: int = 0
    _running: int = 0
    _attempts: Counter[object] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Plays the role; the attempt that `before` sees counts from 1 for each role and chunk."""
        asked = parse(event)
        with self._lock:
            self.events.append(asked)
            which = (asked.action, getattr(asked, "chunk_index", None))
            self._attempts[which] += 1
            attempt = self._attempts[which]
            self._running += 1
            self.peak = max(self.peak, self._running)
        try:
            self.before(asked, attempt)
            return to_wire(self._result(asked))
        finally:
            with self._lock:
                self._running -= 1

    def attempts(self, action: str, chunk: int | None = None) -> int:
        """How often a role was asked for."""
        return self._attempts[action, chunk]

    def _result(self, asked: Asked) -> PlanResult | RenderChunkResult | AssembleResult:
        match asked:
            case PlanEvent():
                folder = RenderFolder(asked.plan_output_s3_prefix)
                return PlanResult(
                    plan_hash="ab" * 32,
                    plan_v2_manifest_s3_uri=folder.manifest,
                    plan_v2_artifact_s3_prefix=folder.artifacts,
                    chunk_count=self.chunks,
                    chunk_indices=tuple(range(self.chunks)),
                    max_parallel_chunks=self.parallel,
                    total_frames=240 * self.chunks,
                    fps="30",
                    width=1920,
                    height=1080,
                    format="mp4",
                    has_audio=False,
                    audio_s3_uri=None,
                    ffmpeg_version="7.0.2-static",
                    producer_version="0.1.0+0123456789ab",
                    duration_ms=4200,
                )
            case RenderChunkEvent():
                folder = RenderFolder.of_manifest(asked.plan_v2_manifest_s3_uri)
                return RenderChunkResult(
                    chunk_s3_uri=f"{folder.chunks}/{asked.chunk_index:04d}-0123456789abcdef.mp4",
                    chunk_index=asked.chunk_index,
                    sha256="cd" * 32,
                    frames_encoded=240,
                    frames_captured=240,
                    duration_ms=12_345,
                )
            case AssembleEvent():
                return AssembleResult(
                    output_s3_uri=asked.output_s3_uri,
                    frames_encoded=240 * self.chunks,
                    file_size=123_456_789,
                    duration_ms=3456,
                )
