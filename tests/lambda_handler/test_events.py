"""The wire: what is accepted, what is refused and how it is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from simulated import REQUEST

from lambda_handler.errors import FormatNotSupported, InvalidConfig, PlanProtocolUnsupported, RenderError
from lambda_handler.events import (
    FRAME_RATES,
    AssembleEvent,
    PlanEvent,
    PlanResult,
    RenderChunkEvent,
    RenderChunkResult,
    parse,
    parse_config,
    to_wire,
    unwrap,
)
from lambda_handler.handler import handler

PLAN = {"Action": "plan", "ProjectS3Uri": "s3://b/p.tar.gz", "PlanOutputS3Prefix": "s3://b/renders/1"}
PLANNED = {
    "PlanHash": "ab" * 32,
    "PlanV2ManifestS3Uri": "s3://b/renders/1/plan/manifest.json",
    "PlanV2ArtifactS3Prefix": "s3://b/renders/1/plan/artifacts",
}
CHUNK = {
    "Action": "renderChunk",
    **PLANNED,
    "ChunkIndex": 3,
    "ChunkOutputS3Prefix": "s3://b/renders/1/chunks",
}
ASSEMBLE = {
    "Action": "assemble",
    **PLANNED,
    "ChunkS3Uris": ["s3://b/1", "s3://b/2"],
    "OutputS3Uri": "s3://b/v.mp4",
}


@pytest.mark.parametrize(("event", "kind"), [(PLAN, PlanEvent), (CHUNK, RenderChunkEvent), (ASSEMBLE, AssembleEvent)])
def test_each_action_has_an_event_that_goes_back_to_the_same_wire(event: dict[str, Any], kind: type) -> None:
    """Field names on the wire are the reference's, in both directions."""
    asked = parse(event)
    assert type(asked) is kind
    assert to_wire(asked).items() >= event.items()


def test_the_reference_deployments_config_is_accepted() -> None:
    """An execution input written for it starts ours unchanged."""
    asked = parse({**PLAN, "Config": REQUEST["Config"]})
    assert isinstance(asked, PlanEvent)
    assert asked.config.fps == "30"
    assert asked.config.chunk_size == 240
    assert asked.config.max_parallel_chunks == 8
    assert asked.config.runtime_cap == "lambda"


@pytest.mark.parametrize("envelope", ["Payload", "Input"])
@pytest.mark.parametrize("depth", range(5))
def test_up_to_four_envelopes_are_opened(envelope: str, depth: int) -> None:
    """Step Functions and Lambda each add theirs."""
    event: dict[str, Any] = PLAN
    for _ in range(depth):
        event = {envelope: event, "StatusCode": 200}
    assert unwrap(event) == PLAN


@pytest.mark.parametrize("envelope", ["Payload", "Input"])
def test_a_fifth_envelope_is_refused(envelope: str) -> None:
    """Nobody wraps that deep; it is a mistake."""
    event: dict[str, Any] = PLAN
    for _ in range(5):
        event = {envelope: event}
    with pytest.raises(InvalidConfig, match="4 envelopes"):
        parse(event)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Action": "render"},
        {"Action": ["plan"]},
        {"Payload": None},
        {"Input": [PLAN]},
        {"action": "plan"},
    ],
)
def test_an_event_without_a_known_action_is_refused(event: dict[str, Any]) -> None:
    """The message lists the actions there are."""
    with pytest.raises(InvalidConfig, match="plan, renderChunk, assemble"):
        parse(event)


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({**PLAN, "Colour": 1}, "Colour: unknown field"),
        ({**PLAN, "Config": {"chunksize": 10}}, "Config.chunksize: unknown field"),
        ({**PLAN, "Config": {"fps": 0}}, "Config.fps: "),
        ({**PLAN, "Config": {"fps": 29.97}}, "Config.fps: "),
        ({**PLAN, "Config": {"fps": True}}, "Config.fps: "),
        ({**PLAN, "Config": {"width": 1921}}, "Config.width: "),
        ({**PLAN, "Config": {"height": 0}}, "Config.height: "),
        ({**PLAN, "Config": {"chunkSize": 0}}, "Config.chunkSize: "),
        ({**PLAN, "Config": {"maxParallelChunks": 257}}, "Config.maxParallelChunks: "),
        ({**PLAN, "Config": {"bitrate": "fast"}}, "Config.bitrate: "),
        ({**PLAN, "Config": {"entryFile": "../index.html"}}, "Config.entryFile: "),
        ({**PLAN, "Config": {"crf": 52}}, "Config.crf: "),
        ({**PLAN, "Config": {"crf": 20, "bitrate": "4M"}}, "Config.crf: crf and bitrate exclude each other"),
        ({**PLAN, "Config": {"format": "webm", "codec": "h265"}}, "Config.codec: codec is a choice for format mp4"),
        ({**PLAN, "Config": {"format": "mov", "codec": "h264"}}, "Config.codec: "),
        ({**PLAN, "Config": {"format": "mov", "crf": 20}}, "Config.crf: format mov has no crf"),
        ({**PLAN, "Config": {"format": "png-sequence", "bitrate": "8M"}}, "Config.bitrate: format png-sequence"),
        ({**PLAN, "Config": {"format": "gif", "crf": 20}}, "Config.crf: format gif"),
        ({**PLAN, "Config": {"format": "gif", "fps": 60}}, "Config.fps: format gif shows at most 50"),
        ({**PLAN, "Config": {"format": "gif", "fps": "60000/1001"}}, "Config.fps: "),
        ({**PLAN, "Config": {"format": "webm", "cfr": True}}, "Config.cfr: format webm cannot"),
        ({**PLAN, "Config": {"format": "gif", "cfr": True}}, "Config.cfr: "),
        ({**PLAN, "Config": {"format": "png-sequence", "cfr": True}}, "Config.cfr: "),
        ({**PLAN, "Config": {"videoFrameFormat": "webp"}}, "Config.videoFrameFormat: "),
        ({**PLAN, "Config": {"outputResolution": "8k"}}, "Config.outputResolution: "),
        ({**PLAN, "Config": {"strictness": "lenient"}}, "Config.strictness: "),
        ({**PLAN, "Config": {"planDirSizeLimitBytes": 0}}, "Config.planDirSizeLimitBytes: "),
        ({**PLAN, "Config": {"engineConfig": {"gpu": True}}}, "Config.engineConfig: options of the reference's engine"),
        ({"Action": "plan", "PlanOutputS3Prefix": "s3://b/r"}, "ProjectS3Uri: "),
        ({**CHUNK, "ChunkIndex": -1}, "ChunkIndex: "),
        ({**CHUNK, "Config": {}}, "Config: unknown field"),
        ({**ASSEMBLE, "ChunkS3Uris": []}, "ChunkS3Uris: "),
        ({**ASSEMBLE, "AudioS3Uri": ["s3://b/a.m4a"]}, "AudioS3Uri: "),
        ({**ASSEMBLE, "Cfr": "maybe"}, "Cfr: "),
    ],
)
def test_a_wrong_field_is_named_with_its_path(event: dict[str, Any], named: str) -> None:
    """Unknown fields and those that cannot be honoured are refused, never ignored."""
    with pytest.raises(InvalidConfig) as caught:
        parse(event)
    assert named in caught.value.summary


def test_every_wrong_field_is_named_at_once() -> None:
    """Nobody corrects a request one field at a time."""
    with pytest.raises(InvalidConfig) as caught:
        parse_config({"fps": 31, "widht": 2, "quality": "best"})
    assert all(name in caught.value.summary for name in ("fps: ", "widht: unknown field", "quality: "))


@pytest.mark.parametrize(
    "config",
    [{"format": "avi"}, {"codec": "av1"}, {"format": "mov", "codec": "prores"}, {"hdrMode": "force-hdr"}],
)
def test_what_cannot_be_made_in_chunks_is_refused_with_the_references_code(config: dict[str, str]) -> None:
    """The message names the field."""
    with pytest.raises(FormatNotSupported) as caught:
        parse({**PLAN, "Config": config})
    assert caught.value.code == "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED"
    assert next(iter(reversed(config))) in caught.value.summary


def test_odd_sizes_are_for_formats_that_have_them() -> None:
    """H.264 and H.265 pictures have half as many colours as pixels, each way."""
    for name in ("mov", "webm", "png-sequence", "gif"):
        assert parse_config({"format": name, "width": 321}).width == 321
    with pytest.raises(InvalidConfig, match=r"width: 321 is odd"):
        parse_config({"width": 321})


@pytest.mark.parametrize(
    ("written", "name"),
    [("4k", "4k"), ("UHD", "4k"), ("hd", "1080p"), ("1080p-portrait", "portrait"), ("square-4k", "square-4k")],
)
def test_a_resolution_has_one_name_inside(written: str, name: str) -> None:
    """So that the same request is the same plan."""
    assert parse_config({"outputResolution": written}).output_resolution == name


@pytest.mark.parametrize("protocol", ["v1", "v3", "", 2])
def test_another_plan_protocol_is_refused(protocol: object) -> None:
    """Before anything else of the event is looked at."""
    with pytest.raises(PlanProtocolUnsupported) as caught:
        parse({**PLAN, "PlanProtocol": protocol, "Colour": 1})
    assert caught.value.code == "PLAN_PROTOCOL_UNSUPPORTED"


@pytest.mark.parametrize("told", [{}, {"PlanProtocol": None}, {"PlanProtocol": "v2"}])
@pytest.mark.parametrize("event", [PLAN, CHUNK, ASSEMBLE])
def test_no_plan_protocol_and_v2_are_accepted(event: dict[str, Any], told: dict[str, Any]) -> None:
    """v2 is the one there is."""
    assert parse({**event, **told}).model_copy(update={"plan_protocol": None}) == parse(event)


@pytest.mark.parametrize(
    ("written", "rate"),
    [(30, "30"), (30.0, "30"), ("30", "30"), (" 25 ", "25"), *((rate, rate) for rate in FRAME_RATES)],
)
def test_a_frame_rate_has_one_spelling_inside(written: object, rate: str) -> None:
    """So that the same request is the same plan."""
    assert parse_config({"fps": written}).fps == rate


def test_events_cannot_be_changed() -> None:
    """They are values: keys and caches are made of them."""
    asked = parse(PLAN)
    with pytest.raises(ValueError, match="frozen"):
        asked.__setattr__("plan_protocol", "v3")


def test_a_chunks_result_is_under_300_bytes() -> None:
    """256 KiB of state have to hold those of a large render."""
    folder = "s3://hyperframes-renders-123456789012/renders/quarterly-metrics-0f3c91aa27de"
    result = RenderChunkResult.model_validate(
        {
            "ChunkS3Uri": f"{folder}/chunks/0255-0123456789abcdef.mp4",
            "ChunkIndex": 255,
            "Sha256": "ab" * 32,
            "FramesEncoded": 3600,
            "FramesCaptured": 3600,
            "DurationMs": 899_999,
        }
    )
    assert len(json.dumps(to_wire(result))) < 300


def test_a_plans_result_has_the_references_names() -> None:
    """The state machine's paths are made of them."""
    assert {field.alias for field in PlanResult.model_fields.values()} >= {
        "PlanHash",
        "PlanV2ManifestS3Uri",
        "PlanV2ArtifactS3Prefix",
        "ChunkCount",
        "TotalFrames",
        "Fps",
        "AudioS3Uri",
    }


def test_the_handlers_exception_is_named_by_the_code() -> None:
    """The class name is what Lambda puts on the wire, and what Step Functions decides by."""
    with pytest.raises(RuntimeError) as caught:
        handler({**PLAN, "Config": {"fps": 0}})
    assert type(caught.value).__name__ == "InvalidConfigError"
    assert isinstance(caught.value.__cause__, RenderError)
    assert "Config.fps" in str(caught.value)
