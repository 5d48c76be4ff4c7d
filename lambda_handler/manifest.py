"""The manifest: everything a chunk needs to know, frozen by the plan.

It is written last, so finding it means that the plan is whole. Its hash covers what can change a pixel or a byte
of a chunk (page, artifacts, tools, capture, encoder) and not how the frames are cut: so a chunk of the same frames
is the same chunk, whatever the slicing was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from lambda_handler import storage
from lambda_handler.errors import ChunkIndexOutOfRange, InvalidConfig, MissingPlanArtifact, PlanHashMismatch
from lambda_handler.formats import FORMATS, FormatName, OutputFormat, PictureKind
from lambda_handler.grid import FrameRange

SCHEMA = "prefect-hyperframes-plan-1"
MANIFEST = "plan/manifest.json"
ARTIFACTS = "plan/artifacts"


Role = Literal["page", "source", "sound"]


class _Frozen(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Artifact(_Frozen):
    """One file of the plan, stored under its sha256. The page may ask for a `page` one at its `path`; a `source` is
    a video's file or the table of its frames, and only the chunks that show it fetch it; `sound` is the mix, which
    only the assembler fetches."""

    path: str
    sha256: str
    size_bytes: int
    role: Role = "page"

    @property
    def key(self) -> str:
        """Its place below the artifact prefix."""
        return f"sha256/{self.sha256[:2]}/{self.sha256}"


class Tools(_Frozen):
    """What draws and encodes: the worker's own version, sha256 of the executables and of the page runtime."""

    producer: str

    chromium: str
    chromium_arguments: tuple[str, ...]
    ffmpeg: str
    ffmpeg_version: str
    runtime: str


class Encoder(_Frozen):
    """How frames become video (composition contract, section 5).

    `codec` is h264, h265, prores, vp9, png (a folder of pictures) or h264-rgb, which loses nothing.
    """

    codec: str
    preset: str
    crf: int | None
    bitrate: str | None


class Capture(_Frozen):
    """How frames are taken, of a page of `width` x `height` CSS px with `scale` device pixels for each.

    `pictures` are of one kind; `transparent`: without the page's background.
    `webgpu`: by a browser that has it. `untimed` are compositions that register no timeline, so nobody waits for them.
    """

    width: int
    height: int
    scale: int
    pictures: PictureKind
    transparent: bool
    webgpu: bool
    untimed: tuple[str, ...]


class VideoClip(_Frozen):
    """One video element: what it shows of its `source` (the path of its artifact), and when.

    Seconds of the composition, but `media_start`, which counts in the source; `rate`: seconds of the source that pass
    in one of the composition. `table` is the path of the artifact that lists the source's frames.
    """

    render_id: str
    source: str
    table: str
    start: float
    end: float
    media_start: float
    rate: float
    loop: bool

    def shows_in(self, which: FrameRange, fps: Fraction) -> bool:
        """Whether a frame of the range may show it: the runtime rounds its window to whole frames."""
        return self.start - 1 / fps < which.end / fps and self.end + 1 / fps > which.start / fps


class Manifest(_Frozen):
    """One plan. `duration` in seconds, `fps` as "num/den" or a whole number; `width` and `height` are the video's.

    `audio` is the mixed sound, None where nothing is heard.
    """

    schema_version: str = SCHEMA
    request_digest: str
    composition: str
    fps: str
    width: int
    height: int
    duration: float
    total_frames: int
    format: FormatName
    chunks: tuple[tuple[int, int], ...]
    tools: Tools
    capture: Capture
    encoder: Encoder
    artifacts: tuple[Artifact, ...]
    videos: tuple[VideoClip, ...]
    audio: Artifact | None = None
    warnings: tuple[str, ...]
    measured_ms_per_frame: float

    @property
    def rate(self) -> Fraction:
        """Frames per second, exactly."""
        return Fraction(self.fps)

    @property
    def output(self) -> OutputFormat:
        """What the format means."""
        return FORMATS[self.format]

    @property
    def plan_hash(self) -> str:
        """sha256 over what can change a pixel or an encoded byte."""
        told = self.model_dump(mode="json", exclude={"request_digest", "chunks", "warnings", "measured_ms_per_frame"})
        return hashlib.sha256(canonical(told)).hexdigest()

    @property
    def stored(self) -> tuple[Artifact, ...]:
        """Everything that lies in the folder for it."""
        return (*self.artifacts, self.audio) if self.audio else self.artifacts

    def chunk(self, index: int) -> FrameRange:
        """The frames of chunk `index`. Raises ChunkIndexOutOfRange."""
        if index >= len(self.chunks):
            raise ChunkIndexOutOfRange(f"Chunk {index} was asked for; the plan has chunks 0 to {len(self.chunks) - 1}.")
        return FrameRange(*self.chunks[index])

    def needed(self, which: FrameRange) -> tuple[Artifact, ...]:
        """What a worker fetches to render the frames `which`."""
        shown = [clip for clip in self.videos if clip.shows_in(which, self.rate)]
        paths = {path for clip in shown for path in (clip.source, clip.table)}
        return tuple(each for each in self.artifacts if each.role == "page" or each.path in paths)

    def chunk_name(self, index: int) -> str:
        """The object name of chunk `index`: its place, and the hash of what makes it."""
        frames = self.chunk(index)
        made_of = canonical([self.plan_hash, frames.start, frames.end])
        return f"{index:04d}-{hashlib.sha256(made_of).hexdigest()[:16]}{self.output.chunk_suffix}"


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(parts: Iterable[Any]) -> str:
    """sha256 in hex over JSON values."""
    return hashlib.sha256(canonical(list(parts))).hexdigest()


def load(uri: str) -> Manifest | None:
    """The manifest at `uri`; None where there is none, or one of another schema."""
    try:
        return Manifest.model_validate_json(storage.read(uri))
    except (FileNotFoundError, ValidationError):
        return None


def load_checked(uri: str, plan_hash: str, output_format: str | None = None) -> Manifest:
    """The manifest an event names, of the format that it names, if it does.

    Raises MissingPlanArtifact, PlanHashMismatch, InvalidConfig.
    """
    manifest = load(uri)
    if manifest is None:
        raise MissingPlanArtifact(f"There is no readable plan at {uri}.")
    if manifest.plan_hash != plan_hash:
        raise PlanHashMismatch(
            f"The plan at {uri} has hash {manifest.plan_hash[:16]}…, the event asks for {plan_hash[:16]}…."
        )
    if output_format not in (None, manifest.format):
        raise InvalidConfig(f"Format: the event says {output_format}, and the plan is for {manifest.format}.")
    return manifest
