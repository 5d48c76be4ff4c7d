"""The wire: events in, results out. Names are the reference deployment's; unknown fields are refused by name.

Attributes are snake_case, fields on the wire have the reference's spelling: PascalCase in events and results,
camelCase inside Config.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_pascal
from pydantic_core import PydanticCustomError

from lambda_handler.errors import FormatNotSupported, InvalidConfig, PlanProtocolUnsupported
from lambda_handler.formats import FASTEST_GIF, FORMATS, FormatName
from lambda_handler.resolution import parse_resolution

FRAME_RATES = ("24", "25", "30", "50", "60", "24000/1001", "30000/1001", "60000/1001")
DEFAULT_MAX_PARALLEL_CHUNKS = 16
PLACES_VARIABLE = "HYPERFRAMES_MAX_PARALLEL_CHUNKS"
"""A worker's environment says in it how many chunks its stack renders at once."""
DEFAULT_PLAN_SIZE = 2 * 1024**3
CHUNK_FOLDER = "chunks"
CONTRADICTION = "contradiction"
# What a value of these fields asks for is not wrong, it cannot be rendered in chunks.
FORMAT_FIELDS = frozenset({"format", "codec", "hdrMode"})

Event = TypeVar("Event", bound=BaseModel)


def parse_fps(value: object) -> str:
    """`30`, `30.0`, `"30"` or `"30000/1001"` as one of FRAME_RATES; anything else is refused."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if text not in FRAME_RATES:
        raise ValueError(f"{value!r} is not one of {', '.join(FRAME_RATES)}")
    return text


FrameRate = Annotated[str, BeforeValidator(parse_fps)]
Size = Annotated[int, Field(ge=16, le=7680)]
Resolution = Annotated[str, BeforeValidator(parse_resolution)]


class Config(BaseModel):
    """How to render. Every field may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=False
    )

    fps: FrameRate | None = Field(None, description="Frames per second; the composition's data-fps, else 30.")
    width: Size | None = Field(None, description="Checked against the composition's width in px.")
    height: Size | None = Field(None, description="Checked against the composition's height in px.")
    format: FormatName = Field("mp4", description="Container of the video; mov, webm and png-sequence have alpha.")
    codec: Literal["h264", "h265"] | None = Field(None, description="Video codec of mp4; h264.")
    quality: Literal["draft", "standard", "high"] = Field("standard", description="Encoder preset and CRF.")
    crf: int | None = Field(None, ge=0, le=51, description="Constant rate factor; excludes bitrate.")
    bitrate: str | None = Field(None, pattern=r"^\d+(\.\d+)?[kKmM]?$", description="Target bitrate; excludes crf.")
    chunk_size: int | None = Field(None, ge=1, le=3600, description="Frames per chunk.")
    target_chunk_frames: int | None = Field(None, ge=1, le=3600, description="Aim, when chunk_size is not set.")
    max_parallel_chunks: int | None = Field(None, ge=1, le=256, description="Most chunks of a render; 16.")
    runtime_cap: Literal["lambda", "temporal", "cloud-run-job", "k8s-job", "none"] | None = Field(
        None, description="Where the chunks run; recorded."
    )
    hdr_mode: Literal["auto", "force-sdr"] = Field("auto", description="Output is always SDR.")
    video_frame_format: Literal["auto", "jpg", "png"] = Field("auto", description="How frames of videos are extracted.")
    output_resolution: Resolution | None = Field(
        None, description="Output size by name, as 4k or portrait: a whole multiple of the composition's size."
    )
    output_resolution_aspect_agnostic: bool = Field(
        False, description="outputResolution means its tier, in the composition's own orientation."
    )
    cfr: bool = Field(False, description="Every frame lasts exactly as long as any other; mp4 and mov always do so.")
    reject_on_system_fonts: bool = Field(
        True, description="Refuse text in an operating system's font that nothing stands in for; else Inter is drawn."
    )
    fail_closed_font_fetch: bool = Field(
        True, description="Refuse a font that cannot be had; else another is drawn, with a warning."
    )
    strictness: Literal["strict", "best-effort"] = Field(
        "strict", description="Whether sound or media that cannot be used fail the render or are warned about."
    )
    plan_dir_size_limit_bytes: int = Field(DEFAULT_PLAN_SIZE, ge=1, description="Most bytes of a plan's artifacts.")
    entry_file: str = Field("index.html", pattern=r"^[^/\\]+\.html?$", description="The page, in the top folder.")
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Values of declared variables.")

    @model_validator(mode="before")
    @classmethod
    def _no_engine_options(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "engineConfig" in given:
            raise _refusal("engineConfig", "options of the reference's engine mean nothing here")
        return given

    @model_validator(mode="after")
    def _without_contradiction(self) -> Config:
        for field, why in self._contradictions():
            raise _refusal(field, why)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        output = FORMATS[self.format]
        if self.crf is not None and self.bitrate is not None:
            yield "crf", "crf and bitrate exclude each other"
        if self.codec and self.format != "mp4":
            yield "codec", f"codec is a choice for format mp4 only, and format is {self.format}"
        if not output.rated:
            for field, value in (("crf", self.crf), ("bitrate", self.bitrate)):
                if value is not None:
                    yield field, f"format {self.format} has no {field}: its quality is fixed"
        if self.cfr and not output.constant:
            yield "cfr", f"format {self.format} cannot give every frame exactly the same time"
        if self.format == "gif" and self.fps and Fraction(self.fps) > FASTEST_GIF:
            yield "fps", f"format gif shows at most {FASTEST_GIF} frames a second, and fps is {self.fps}"
        if output.even and not self.output_resolution:
            for field, size in (("width", self.width), ("height", self.height)):
                if size and size % 2:
                    yield field, f"{size} is odd; {self.format} video has even sizes only"


def _refusal(field: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(CONTRADICTION, "{why}", {"field": field, "why": why})


class _Event(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, extra="forbid", frozen=True)


class PlanEvent(_Event):
    """Asks for a plan of the project at `project_s3_uri`, to be written below `plan_output_s3_prefix`.

    Where the video will go, `output_s3_uri`, may be named: it is checked then, before any frame is rendered.
    """

    action: Literal["plan"]
    project_s3_uri: str
    plan_output_s3_prefix: str
    output_s3_uri: str | None = None
    config: Config = Config()
    plan_protocol: str | None = None


class PlanResult(_Event):
    """What planning found; the locators are what the other roles need.

    `chunk_indices` is what a state machine maps over, at most `max_parallel_chunks` at once: as many as were asked
    for, never more than the stack allows. `estimated_cost_usd`: what the render will cost; None outside Lambda.
    """

    plan_protocol: Literal["v2"] = "v2"
    plan_hash: str
    plan_v2_manifest_s3_uri: str
    plan_v2_artifact_s3_prefix: str
    chunk_count: int
    chunk_indices: tuple[int, ...]
    max_parallel_chunks: int
    total_frames: int
    fps: str
    width: int
    height: int
    format: str
    has_audio: bool
    audio_s3_uri: str | None
    ffmpeg_version: str
    producer_version: str
    duration_ms: int
    estimated_cost_usd: float | None = None


class _Planned(_Event):
    plan_protocol: str | None = None
    plan_hash: str
    plan_v2_manifest_s3_uri: str
    plan_v2_artifact_s3_prefix: str
    format: FormatName | None = None


class RenderChunkEvent(_Planned):
    """Asks for one chunk of a plan, put below `chunk_output_s3_prefix`, or among the render folder's chunks."""

    action: Literal["renderChunk"]
    chunk_index: int = Field(ge=0)
    chunk_output_s3_prefix: str | None = None


class RenderChunkResult(_Event):
    """One finished chunk; under 300 bytes on the wire."""

    chunk_s3_uri: str
    chunk_index: int
    sha256: str
    frames_encoded: int
    frames_captured: int
    duration_ms: int


class AssembleEvent(_Planned):
    """Asks for the video at `output_s3_uri`, made of all chunks of the plan.

    Without `chunk_s3_uris` the chunks are those of the render folder: a long list need not pass through the engine.
    `execution_arn` names the Step Functions execution that asks, for the report.
    """

    action: Literal["assemble"]
    chunk_s3_uris: tuple[str, ...] | None = Field(None, min_length=1)
    audio_s3_uri: str | None = None
    output_s3_uri: str
    execution_arn: str | None = None
    cfr: bool = False


class AssembleResult(_Event):
    """The published video; `file_size` in bytes."""

    output_s3_uri: str
    frames_encoded: int
    file_size: int
    duration_ms: int


ROLES: Mapping[str, type[PlanEvent | RenderChunkEvent | AssembleEvent]] = {
    "plan": PlanEvent,
    "renderChunk": RenderChunkEvent,
    "assemble": AssembleEvent,
}
MAX_ENVELOPES = 4


def unwrap(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event inside at most four `Payload` or `Input` envelopes. Raises InvalidConfig when there is none."""
    inner: Any = event
    for _ in range(MAX_ENVELOPES + 1):
        if not isinstance(inner, Mapping):
            break
        action = inner.get("Action")
        if isinstance(action, str) and action in ROLES:
            return inner
        inner = inner.get("Payload", inner.get("Input"))
    raise InvalidConfig(f"The event has no Action of {', '.join(ROLES)}, in at most {MAX_ENVELOPES} envelopes.")


def parse(event: Mapping[str, Any]) -> PlanEvent | RenderChunkEvent | AssembleEvent:
    """The typed event. Raises PlanProtocolUnsupported, FormatNotSupported, InvalidConfig naming every wrong field."""
    inner = unwrap(event)
    protocol = inner.get("PlanProtocol")
    if protocol not in (None, "v2"):
        raise PlanProtocolUnsupported(f"PlanProtocol is {protocol!r}.")
    return validated(ROLES[inner["Action"]], inner)


def parse_config(fields: Mapping[str, Any]) -> Config:
    """A Config from wire fields. Raises FormatNotSupported, InvalidConfig."""
    return validated(Config, fields)


def validated(model: type[Event], fields: Mapping[str, Any]) -> Event:
    """`fields` as a `model`, every complaint named with its dotted path."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        complaints = [
            _complaint(item["loc"], item["msg"], item["type"], item.get("ctx", {})) for item in error.errors()
        ]
        for where, message, kind in complaints:
            if where.rpartition(".")[2] in FORMAT_FIELDS | {"Format"} and kind != CONTRADICTION:
                raise FormatNotSupported(f"{where}: {message}.") from error
        raise InvalidConfig(
            "; ".join(f"{where or 'request'}: {message}" for where, message, _ in complaints) + "."
        ) from error


def _complaint(place: tuple[int | str, ...], message: str, kind: str, about: Mapping[str, Any]) -> tuple[str, str, str]:
    where = ".".join(map(str, place))
    if kind == CONTRADICTION:
        return ".".join(filter(None, (where, about["field"]))), message, kind
    return where, "unknown field" if kind == "extra_forbidden" else message, kind


def to_wire(model: BaseModel) -> dict[str, Any]:
    """The JSON-ready form of an event or a result."""
    return model.model_dump(by_alias=True, mode="json")
