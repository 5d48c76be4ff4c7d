"""Render chunk: rendered once, verified, stopped between two frames."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rendering import BOX, Render, page, pixels

from lambda_handler import chunk, storage, toolchain
from lambda_handler.errors import ChunkInvalid
from lambda_handler.grid import FrameRange
from lambda_handler.handler import handler
from lambda_handler.media import video_stream
from lambda_handler.profile import STAGES
from lambda_handler.storage import local_path


def _refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(RuntimeError) as caught:
        act()
    assert type(caught.value).__name__ == code, str(caught.value)
    return str(caught.value)


def test_a_chunk_has_its_frames_and_is_named_by_what_made_it(planned: Render) -> None:
    """Its digest is that of the object, and each frame was drawn."""
    told = planned.chunk(1)
    path = local_path(told["ChunkS3Uri"])
    assert told["ChunkS3Uri"] == f"{planned.folder}/chunks/{planned.manifest.chunk_name(1)}"
    assert (told["ChunkIndex"], told["FramesEncoded"], told["FramesCaptured"]) == (1, 10, 10)
    assert told["Sha256"] == toolchain.sha256_of(path)
    assert len(set(pixels(path))) == 10


def test_a_chunk_goes_to_the_render_folder_when_no_other_place_is_named(planned: Render) -> None:
    """Where assemble looks for it."""
    told = handler(planned.event("renderChunk", ChunkIndex=2))
    assert told["ChunkS3Uri"] == f"{planned.folder}/chunks/{planned.manifest.chunk_name(2)}"


def test_a_chunk_is_one_closed_group_of_pictures(planned: Render) -> None:
    """It begins with its only key frame and its frames stand at the exact rate: so chunks join by stream copy."""
    stream = video_stream(toolchain.ffmpeg(), local_path(planned.chunk(2)["ChunkS3Uri"]), decode=True)
    assert [packet.key for packet in stream.packets] == [True] + [False] * 9
    assert stream.keeps_rate(planned.manifest.rate)
    assert (stream.width, stream.height) == (320, 180)


def test_a_chunk_that_is_there_is_not_rendered_again(rendered: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its object stays untouched and no browser is started."""
    path = local_path(f"{rendered.folder}/chunks/{rendered.chunk_names[0]}")
    before = path.stat().st_mtime_ns
    monkeypatch.setattr("lambda_handler.chunk.launched", None)
    told = rendered.chunk(0)
    assert (told["FramesEncoded"], told["FramesCaptured"]) == (10, 0)
    assert told["Sha256"] == toolchain.sha256_of(path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.8])
def test_a_truncated_chunk_is_rendered_again(rendered: Render, kept: float) -> None:
    """Finding an object is not enough: what is left of it does not decode."""
    path = local_path(f"{rendered.folder}/chunks/{rendered.chunk_names[0]}")
    whole = path.read_bytes()
    length = int(kept * len(whole)) if isinstance(kept, float) else kept
    path.write_bytes(whole[:length])
    assert rendered.chunk(0)["FramesCaptured"] == 10
    assert path.read_bytes() == whole


def test_a_chunk_of_other_frames_is_not_taken(rendered: Render) -> None:
    """A good video that has too few frames is as bad as none."""
    shorter = Render(rendered.project, f"{rendered.folder}-5", {"fps": 30, "chunkSize": 5})
    shorter.plan()
    wrong = local_path(shorter.chunk(0)["ChunkS3Uri"]).read_bytes()
    path = local_path(f"{rendered.folder}/chunks/{rendered.chunk_names[0]}")
    path.write_bytes(wrong)
    assert rendered.chunk(0)["FramesCaptured"] == 10
    assert path.read_bytes() != wrong


@pytest.mark.parametrize(
    ("change", "told"),
    [({"total_frames": 30, "fps": "25"}, "25 frames per second"), ({"width": 640}, "640 x 180")],
)
def test_a_chunk_at_another_rate_or_size_is_not_taken(rendered: Render, change: dict[str, object], told: str) -> None:
    """Each frame has to stand where the plan wants it, in the plan's size."""
    path = local_path(f"{rendered.folder}/chunks/{rendered.chunk_names[0]}")
    with pytest.raises(ChunkInvalid, match=told):
        chunk.verify(path, rendered.manifest.model_copy(update=change), FrameRange(0, 10))


def test_an_event_for_another_plan_is_refused(planned: Render) -> None:
    """The folder was planned again since the event was made."""
    message = _refused("PLAN_HASH_MISMATCH", lambda: planned.chunk(0, PlanHash="0" * 64))
    assert planned.planned["PlanHash"][:16] in message
    assert planned.chunk_names == []


def test_a_manifest_that_was_changed_is_refused(planned: Render) -> None:
    """Its hash is made from what it says, not taken from it."""
    path = local_path(f"{planned.folder}/plan/manifest.json")
    path.write_text(path.read_text().replace('"crf":18', '"crf":19'))
    _refused("PLAN_HASH_MISMATCH", lambda: planned.chunk(0))


@pytest.mark.parametrize("index", [3, 1000])
def test_a_chunk_the_plan_does_not_have_is_refused(planned: Render, index: int) -> None:
    """The message says which there are."""
    assert "0 to 2" in _refused("CHUNK_INDEX_OUT_OF_RANGE", lambda: planned.chunk(index))


@pytest.mark.parametrize("what", ["plan/manifest.json", "artifact"])
def test_what_the_plan_lacks_is_missed_by_name(planned: Render, what: str) -> None:
    """The manifest itself, or an artifact that it names."""
    page_file = next(each for each in planned.manifest.artifacts if each.path == "index.html")
    name = what if what != "artifact" else f"plan/artifacts/{page_file.key}"
    local_path(f"{planned.folder}/{name}").unlink()
    assert name.rpartition("/")[2] in _refused("MISSING_PLAN_ARTIFACT", lambda: planned.chunk(0))
    assert planned.chunk_names == []


def test_a_damaged_artifact_is_refused(planned: Render) -> None:
    """The same size, one byte different: it is what its digest says, or nothing."""
    script = next(each for each in planned.manifest.artifacts if each.path == "_hf/runtime.js")
    path = local_path(f"{planned.folder}/plan/artifacts/{script.key}")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    message = _refused("PLAN_ARTIFACT_DIGEST_MISMATCH", lambda: planned.chunk(0))
    assert "_hf/runtime.js" in message
    assert planned.chunk_names == []


@pytest.mark.parametrize(
    "uri", ["file:///etc/plan/manifest.json", "s3://other/plan/manifest.json", "manifest.json", "file:///etc/passwd"]
)
def test_a_manifest_elsewhere_is_refused(planned: Render, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """Outside the allowed places, or at one where no manifest can be."""
    monkeypatch.setenv(storage.BUCKET_VARIABLE, "mine")
    code = "S3_URI_NOT_ALLOWED" if uri.endswith("/plan/manifest.json") else "InvalidConfigError"
    assert uri in _refused(code, lambda: planned.chunk(0, PlanV2ManifestS3Uri=uri))


def test_a_chunk_may_not_be_put_outside_the_roots(planned: Render) -> None:
    """Refused before a frame is drawn."""
    place = "file:///etc/chunks"
    assert place in _refused("S3_URI_NOT_ALLOWED", lambda: planned.chunk(0, ChunkOutputS3Prefix=place))


@pytest.fixture
def other_tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Path], None]]:
    """Makes an environment variable lead to a tool; the tools are looked up anew, and again afterwards."""

    def forget() -> None:
        toolchain.ffmpeg.cache_clear()
        toolchain.chromium.cache_clear()

    def use(variable: str, path: Path) -> None:
        monkeypatch.setenv(variable, str(path))
        forget()

    yield use
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize(
    ("variable", "code"),
    [("FFMPEG_PATH", "FFMPEG_VERSION_MISMATCH"), ("CHROMIUM_PATH", "BROWSER_VERSION_MISMATCH")],
)
def test_a_worker_with_other_tools_is_refused(
    planned: Render, tmp_path: Path, other_tool: Callable[[str, Path], None], variable: str, code: str
) -> None:
    """Its chunks would not fit between the others'. One byte more makes it another tool."""
    tool = tmp_path / "tool"
    shutil.copy(toolchain.ffmpeg().executable if variable == "FFMPEG_PATH" else toolchain.chromium().executable, tool)
    with tool.open("ab") as file:
        file.write(b"\0")
    other_tool(variable, tool)
    message = _refused(code, lambda: planned.chunk(0))
    assert toolchain.sha256_of(tool)[:12] in message
    assert planned.chunk_names == []


def test_a_cancelled_render_starts_no_chunk(planned: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a browser."""
    storage.write(f"{planned.folder}/cancel", b"")
    monkeypatch.setattr("lambda_handler.chunk.launched", None)
    assert planned.folder in _refused("RENDER_CANCELLED", lambda: planned.chunk(0))


@dataclass
class Clock:
    """A Lambda context that does something when it is asked the `at`-th time, and tells what is left.

    It is asked once at the beginning, and between two frames.
    """

    at: int
    act: Callable[[], object] = lambda: None
    left_before: int = 900_000
    left_after: int = 900_000
    asked: int = 0

    def get_remaining_time_in_millis(self) -> int:
        self.asked += 1
        if self.asked == self.at:
            self.act()
        return self.left_before if self.asked < self.at else self.left_after


def test_cancelling_stops_a_chunk_between_two_frames(planned: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next heartbeat, which also tells how far the chunk had come."""
    monkeypatch.setattr("lambda_handler.progress.BEAT_SECONDS", 0.0)
    context = Clock(4, lambda: storage.write(f"{planned.folder}/cancel", b""))
    _refused("RENDER_CANCELLED", lambda: planned.chunk(0, context))
    told = json.loads(storage.read(f"{planned.folder}/progress/0.json"))
    assert (told["framesDone"], told["framesTotal"]) == (4, 10)
    assert planned.chunk_names == []


def test_a_chunk_stops_by_itself_before_its_time_is_up(planned: Render) -> None:
    """The message says how far it came and which setting to change."""
    context = Clock(7, left_after=19_999)
    message = _refused("CHUNK_DEADLINE", lambda: planned.chunk(0, context))
    assert "6 of 10 frames" in message
    assert "chunkSize" in message
    assert planned.chunk_names == []


def test_a_chunk_that_is_as_good_as_done_is_finished(planned: Render) -> None:
    """After the last frame only the encoder's end is left, which the margin is for."""
    context = Clock(11, left_after=1)
    assert planned.chunk(0, context)["FramesCaptured"] == 10
    assert context.asked == 10


def test_a_chunk_tells_its_progress(planned: Render) -> None:
    """When it is done all its frames are."""
    planned.chunk(1)
    told = json.loads(storage.read(f"{planned.folder}/progress/1.json"))
    assert (told["framesDone"], told["framesTotal"]) == (10, 10)


def test_a_chunk_tells_where_its_time_went(planned: Render) -> None:
    """Every stage took some, all together no more than there was; a chunk that was found has nothing to tell."""
    began = time.monotonic()
    planned.chunk(1)
    passed = (time.monotonic() - began) * 1000
    spent = json.loads(storage.read(f"{planned.folder}/progress/1.json"))["profileMs"]
    assert tuple(spent) == STAGES
    assert min(spent[stage] for stage in ("start", "seek", "draw", "verify")) > 0
    assert sum(spent.values()) <= passed + len(STAGES)
    planned.chunk(1)
    assert "profileMs" not in json.loads(storage.read(f"{planned.folder}/progress/1.json"))


def test_a_script_that_fails_on_the_way_fails_the_chunk(render: Callable[..., Render]) -> None:
    """A wrong picture is not delivered; the plan looks at a few moments only."""
    late = "if (Math.round(e.detail.time * 30) === 24) throw Error('late')"
    body = f"{BOX}<script>addEventListener('hf-seek', e => {{ {late} }})</script>"
    made = render(page(body), chunkSize=15)
    made.plan()
    made.chunk(0)
    assert "late" in _refused("PAGE_SCRIPT_FAILED", lambda: made.chunk(1))
    assert len(made.chunk_names) == 1
