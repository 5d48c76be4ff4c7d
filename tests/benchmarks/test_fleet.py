"""The simulated fleet keeps to what can be reckoned without one."""

from __future__ import annotations

import pytest

from benchmarks.fleet import Fleet, best, simulate

CALM = Fleet(frames=100, ms_per_frame=100, cold_ms=5_000, warm_ms=1_000, warm=1.0, plan_ms=2_000, assemble_ms=1_000)


@pytest.fixture(autouse=True)
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are all equally fast."""
    monkeypatch.setattr("benchmarks.fleet.SPREAD", 0.0)


def test_chunks_at_once_take_as_long_as_one() -> None:
    """Plan, start, its frames, assembly."""
    assert simulate(CALM, 10).seconds == pytest.approx(2 + 1 + 1 + 1)
    assert simulate(CALM, 100).seconds == pytest.approx(2 + 1 + 10 + 1)


def test_chunks_beyond_the_concurrency_wait_for_a_worker_which_is_warm_then() -> None:
    """Four chunks on two cold workers: two after another on each."""
    cold = Fleet(100, 100, concurrency=2, cold_ms=5_000, warm_ms=1_000, warm=0.0, plan_ms=0, assemble_ms=0)
    assert simulate(cold, 25).seconds == pytest.approx(5 + 2.5 + 1 + 2.5)


def test_more_chunks_cost_more_and_take_less() -> None:
    """Each has a start to pay for; which is best depends on what time is worth."""
    short, long = simulate(CALM, 10), simulate(CALM, 50)
    assert short.seconds < long.seconds
    assert short.usd > long.usd
    assert best([short, long], 0.0) == long
    assert best([short, long], 1.0) == short
