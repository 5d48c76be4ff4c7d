"""The wire: events in, results out. Names are the reference deployment's; unknown fields are refused by name.

Attributes are snake_case, fields on the wire have the reference's spelling: PascalCase in events and results,
camelCase inside Config.
"""

from __future__ import annotations

from collections.abc import Mapping
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

from lambda_handler.errors import FormatNotSupported, InvalidConfig, PlanProtocolUnsupported

FRAME_RATES = ("24", "25", "30", "50", "60", "24000/1001", "30000/1001", "60000/1001")
DEFAULT_MAX_PARALLEL_CHUNKS = 16
CHUNK_FOLDER = "chunks"

Event = TypeVar("Event", bound=BaseModel)


def parse_fps(value: object) -> str:
    """`30`, `30.0`, `"30"` or `"30000/1001"` as one of FRAME_RATES; anything else is refused."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if text not in FRAME_RATES:
        raise ValueError(f"{value!r} is not one of {', '.join(FRAME_RATES)}")
    return text


FrameRate = Annotated[str, BeforeValidator(parse_fps)]
Size = Annotated[int, Field(ge=16, le=7680, multiple_of=2)]


class Config(BaseModel):
    """How to render. Every field may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=False
    )

    fps: FrameRate | None = Field(None, description="Frames per second; the composition's data-fps, else 30.")
    width: Size | None = Field(None, description="Checked against the composition's width in px.")
    height: Size | None = Field(None, description="Checked against the composition's height in px.")
    format: Literal["mp4"] = Field("mp4", description="Container of the video.")
    codec: Literal["h264"] = Field("h264", description="Video codec.")
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
    entry_file: str = Field("index.html", pattern=r"^[^/\\]+\.html?$", description="The page, in the top folder.")
    variables: dict[str, JsonValue] = Field(default_factory=dict, description="Values of declared variables.")

    @model_validator(mode="after")
    def _one_rate_control(self) -> Config:
        if self.crf is not None and self.bitrate is not None:
            raise ValueError("crf and bitrate exclude each other")
        return self


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
    for, never more than the stack allows.
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


class _Planned(_Event):
    plan_protocol: str | None = None
    plan_hash: str
    plan_v2_manifest_s3_uri: str
    plan_v2_artifact_s3_prefix: str
    format: str = "mp4"


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
    audio_s3_uri: None = None
    output_s3_uri: str
    execution_arn: str | None = None
    cfr: Literal[False] = False


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
        complaints = [(".".join(map(str, item["loc"])), item["msg"], item["type"]) for item in error.errors()]
        for where, message, _ in complaints:
            if where.rpartition(".")[2] in ("format", "Format", "codec"):
                raise FormatNotSupported(f"{where}: {message}.") from error
        told = "; ".join(
            f"{where or 'request'}: " + ("unknown field" if kind == "extra_forbidden" else message)
            for where, message, kind in complaints
        )
        raise InvalidConfig(f"{told}.") from error


def to_wire(model: BaseModel) -> dict[str, Any]:
    """The JSON-ready form of an event or a result."""
    return model.model_dump(by_alias=True, mode="json")
