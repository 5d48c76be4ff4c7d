"""The end of each render is told once: when it has succeeded, failed, was cancelled, or its process is gone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import get_run_context
from prefect.states import Cancelled, Cancelling, Crashed
from rendering import Project, page

from flows.completion import remember, tell_cancelled, when_ended
from flows.prefect_server import PrefectApi
from flows.render import render
from flows.request import RenderRequest
from lambda_handler import storage
from lambda_handler.errors import PageScriptFailed, RenderCancelled
from lambda_handler.render_folder import RenderFolder
from tasks.completion import COMPLETED, FAILED, SECRET_VARIABLE, URL_VARIABLE, CompletionWebhook, _call, event_id, tell
from tasks.local_stack import LocalStack


def _events(runs: list[UUID]) -> list[dict[str, Any]]:
    """The events about the ends of these runs, when there is one for each, and a moment later."""
    ids = {f"hyperframes.render.{run}" for run in runs}
    limit, settled = time.monotonic() + 20, 0
    with get_client(sync_client=True) as client:
        while True:
            asked = {"filter": {"event": {"prefix": ["hyperframes.render."]}}, "limit": 50}
            found = client._client.post("/events/filter", json=asked).json()["events"]
            about = [event for event in found if event["resource"]["prefect.resource.id"] in ids]
            settled += len(about) >= len(runs)
            if settled > 2:
                return sorted(about, key=lambda event: str(event["occurred"]))
            assert time.monotonic() < limit, f"{len(about)} of {len(runs)} events"
            time.sleep(0.5)


def _id(run: UUID) -> str:
    return str(event_id(FlowRun(id=run, flow_id=run)))


@flow(name="stopped")
def _begun(folder: str, *, tells: bool) -> UUID:
    """Stands for a render that began, and whose process ended, if it `tells`, with a word about it."""
    remember(RenderFolder(folder))
    if tells:
        tell_cancelled("film.mp4", RenderFolder(folder), RenderCancelled("Somebody cancelled it."))
    run: UUID = get_run_context().flow_run.id  # type: ignore[union-attr]
    return run


def test_a_render_tells_its_end_once(api: PrefectApi, project: Project, tmp_path: Path) -> None:
    """What was made and where, or what was wrong and what to do next; under an id that follows from the run's."""
    stack = LocalStack(root=tmp_path / "root", processes=1, allowed=(tmp_path,))
    runs: list[UUID] = []
    for name, html in (("good", page(duration="0.2")), ("bad", page("<script>throw new Error('no luck')</script>"))):
        request = RenderRequest(project=str(project(html, name=name)), output=str(tmp_path / f"{name}.mp4"))
        state = render(request, stack, return_state=True)
        assert state.state_details.flow_run_id
        runs.append(state.state_details.flow_run_id)
    good, bad = _events(runs)
    assert (good["event"], good["id"]) == ("hyperframes.render.completed", _id(runs[0]))
    assert (good["payload"]["output"], good["payload"]["frames"]) == ((tmp_path / "good.mp4").as_uri(), 6)
    assert (bad["event"], bad["id"]) == ("hyperframes.render.failed", _id(runs[1]))
    assert PageScriptFailed.code in bad["payload"]["error"]
    assert bad["payload"]["resolution"] == PageScriptFailed.advice
    with stack.storage():
        mark = json.loads(storage.read(RenderFolder(good["payload"]["folder"]).ending(str(runs[0]))))
    assert mark == good["payload"]


def test_hooks_tell_what_the_flow_no_longer_could(api: PrefectApi, roots: Path) -> None:
    """Cancelled, killed, or told by the flow itself: however often a hook is called, there is one event."""
    states: list[State[Any]] = [Cancelling(), Crashed(message="Exited with -9"), Cancelled()]
    runs = [_begun((roots / f"render-{n}").as_uri(), tells=n == 2) for n in range(3)]
    with get_client(sync_client=True) as client:
        for run, state in zip(runs, states, strict=True):
            for _ in range(2):
                when_ended(flow=_begun, flow_run=client.read_flow_run(run), state=state)
    events = _events(runs)
    assert len(events) == 3
    told = {event["id"]: (event["event"], event["payload"]["error"]) for event in events}
    for run, kind, says in zip(
        runs,
        ("cancelled", "failed", "cancelled"),
        ("Cancelling", "Crashed: Exited with -9", "Somebody cancelled it."),
        strict=True,
    ):
        event, error = told[_id(run)]
        assert event == f"hyperframes.render.{kind}"
        assert says in error


def test_a_run_that_fails_and_is_retried_tells_both_ends_once(api: PrefectApi, roots: Path) -> None:
    """Each attempt that is the last so far has an event, and an id, of its own."""
    folder = RenderFolder((roots / "render").as_uri())
    first = FlowRun(id=uuid4(), flow_id=uuid4(), run_count=1)
    second = first.model_copy(update={"run_count": 2})
    told = [tell(FAILED, first, folder, {}), tell(FAILED, first, folder, {}), tell(COMPLETED, second, folder, {})]
    assert told == [True, False, True]
    assert event_id(first) != event_id(second)


def test_a_run_whose_stack_cannot_be_had_tells_its_end_all_the_same(api: PrefectApi) -> None:
    """Its stack has no block: that may be why it failed."""
    request = {"project": "examples/orbit", "output": "orbit.mp4"}
    state = render(RenderRequest.model_validate(request), "nowhere", return_state=True)
    run = state.state_details.flow_run_id
    assert run
    (event,) = _events([run])
    assert (event["event"], event["id"]) == ("hyperframes.render.failed", _id(run))
    assert event["payload"]["error"].startswith("STACK_NOT_FOUND: ")


@pytest.mark.parametrize(
    ("url", "secret", "says"),
    [
        ("https://[::1", "it", "is none"),
        ("https://" + "a" * 70 + ".example/?token=it", "it", "UnicodeError"),
        ("https://hooks.example/", "whsec_it", "not base64"),
    ],
)
def test_a_wrong_webhook_setting_fails_no_render(
    api: PrefectApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, secret: str, says: str
) -> None:
    """The log says what is wrong with it, without the address."""
    monkeypatch.setenv(URL_VARIABLE, url)
    monkeypatch.setenv(SECRET_VARIABLE, secret)
    monkeypatch.setattr("socket.getaddrinfo", _encoded)
    _call({"id": "1"})
    assert says in caplog.text
    assert "token" not in caplog.text


def _encoded(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
    """As the real one: it encodes the name before it asks anybody."""
    host.encode("idna")
    return [(0, 0, 0, "", ("93.184.215.14", 0))]


def test_a_secret_that_cannot_sign_is_not_saved() -> None:
    """It was not copied whole, maybe; it is not shown."""
    with pytest.raises(ValueError, match="not base64") as caught:
        CompletionWebhook.model_validate({"url": "https://hooks.example/", "secret": "whsec_a bc"})
    assert "a bc" not in str(caught.value)


def test_a_webhook_that_must_not_be_called_is_not_saved() -> None:
    """The block says why, and shows neither address nor secret."""
    with pytest.raises(ValueError, match="not on the internet") as caught:
        CompletionWebhook.model_validate({"url": "https://10.0.0.8/?token=abc", "secret": "def"})
    assert "abc" not in str(caught.value)
