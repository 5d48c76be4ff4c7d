"""Waiting for a place: what is heard meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError

from lambda_handler.errors import RenderCancelled
from tasks import admission
from tasks.admission import admitted


@dataclass
class _Limit:
    """One place, and whether it is taken."""

    active_slots: int
    limit: int = 1
    active: bool = True


def _refused(status: int) -> ConcurrencySlotAcquisitionError:
    request = httpx.Request("POST", "http://prefect")
    error = ConcurrencySlotAcquisitionError("Unable to acquire concurrency slots")
    error.__cause__ = httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))
    return error


class _Prefect:
    """A limit as it is at each look, and what acquiring comes to."""

    def __init__(self, patch: pytest.MonkeyPatch, looks: list[_Limit | Exception], *refusals: int) -> None:
        self.looks, self.refusals, self.held, self.taken = looks, list(refusals), 0, 0
        patch.setattr(admission, "LOOK_SECONDS", 0.0)
        patch.setattr(admission, "_limit", self._limit)
        patch.setattr(admission, "concurrency", self._concurrency)

    def _limit(self) -> _Limit:
        found = self.looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    @contextmanager
    def _concurrency(self, _name: str, **_given: object) -> Iterator[None]:
        if self.refusals:
            raise _refused(self.refusals.pop(0))
        self.held, self.taken = self.held + 1, self.taken + 1
        yield
        self.held -= 1


def test_who_waits_for_a_place_hears_that_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No place is taken, however long it would have waited."""
    prefect = _Prefect(monkeypatch, [_Limit(1)] * 4)
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise RenderCancelled("The render was cancelled.")

    with pytest.raises(RenderCancelled), admitted(check):
        pytest.fail("it was cancelled")
    assert prefect.taken == 0


def test_a_place_is_taken_when_one_is_free_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though Prefect did not answer for a moment, and though somebody else was faster at first."""
    looks: list[_Limit | Exception] = [_Limit(1), httpx.ConnectError("refused"), _Limit(0), _Limit(0)]
    prefect = _Prefect(monkeypatch, looks, 423)
    with admitted():
        assert prefect.held == 1
    assert (prefect.held, prefect.taken, prefect.looks) == (0, 1, [])


def test_a_place_that_cannot_be_asked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that is taken is waited for."""
    _Prefect(monkeypatch, [_Limit(0)], 500)
    with pytest.raises(ConcurrencySlotAcquisitionError), admitted():
        pytest.fail("there was no place")
