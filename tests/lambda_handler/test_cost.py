"""Cost: the price list's arithmetic."""

from __future__ import annotations

import pytest

from lambda_handler.cost import PRICES, Usage, cost, expected_ms, prices_for, told, transitions

VIRGINIA = PRICES["us-east-1"]


def test_10_gb_for_5_minutes_cost_5_cents() -> None:
    """10 GB, 300 s, $0.0000166667 for a GB-second; and not $0.50."""
    assert cost(Usage([300_000]), VIRGINIA).duration == pytest.approx(0.05, abs=1e-6)


def test_arm_costs_a_fifth_less() -> None:
    """$0.0000133334 for a GB-second."""
    assert cost(Usage([300_000], architecture="arm64"), VIRGINIA).duration == pytest.approx(0.0400002, abs=1e-7)


@pytest.mark.parametrize(("ms", "billed"), [(0.1, 1), (1.0, 1), (1.2, 2), (1999.5, 2000)])
def test_an_invocation_is_rounded_up_to_a_millisecond(ms: float, billed: int) -> None:
    """Each by itself: ten times 0.1 ms are 10 ms."""
    assert cost(Usage([ms] * 10), VIRGINIA).duration == pytest.approx(10 * billed / 1000 * 10 * 0.0000166667)


@pytest.mark.parametrize(("memory", "share"), [(10_240, 1.0), (5_120, 0.5), (1_024, 0.1)])
def test_memory_is_paid_for_by_the_second(memory: int, share: float) -> None:
    """A GB has 1,024 MB."""
    assert cost(Usage([60_000], memory_mb=memory), VIRGINIA).duration == pytest.approx(share * 600 * 0.0000166667)


@pytest.mark.parametrize(("storage", "gb"), [(512, 0.0), (100, 0.0), (1_536, 1.0), (10_240, 9.5)])
def test_the_first_512_mb_of_scratch_space_are_free(storage: int, gb: float) -> None:
    """What is above costs $0.0000000309 for a GB-second."""
    assert cost(Usage([1_000_000], storage_mb=storage), VIRGINIA).storage == pytest.approx(gb * 1000 * 3.09e-8)


def test_requests_and_transitions_are_counted() -> None:
    """A million requests cost $0.20, a thousand transitions $0.025."""
    assert cost(Usage([0.0] * 1_000_000), VIRGINIA).requests == pytest.approx(0.20)
    assert cost(Usage([], transitions=1_000), VIRGINIA).transitions == pytest.approx(0.025)


def test_failed_attempts_cost_what_others_cost_and_are_told_apart() -> None:
    """Their time, their request and their retry are in the total, and in a sum of their own."""
    once = cost(Usage([10_000, 10_000], transitions=8), VIRGINIA)
    again = cost(Usage([10_000, 10_000], failed_ms=[5_000], transitions=9), VIRGINIA)
    assert once.failed_attempts == 0
    assert again.total - once.total == pytest.approx(again.failed_attempts)
    assert again.failed_attempts == pytest.approx(5 * 10 * 0.0000166667 + 0.0000002 + 0.000025)


def test_a_whole_render_by_hand() -> None:
    """Plan 4 s, eight chunks of 20 s, assemble 6 s, at 10 GB with 10 GB of scratch space: 3 cents."""
    found = cost(Usage([4_000, *[20_000] * 8, 6_000], storage_mb=10_240, transitions=transitions(10)), VIRGINIA)
    assert found.duration == pytest.approx(170 * 10 * 0.0000166667)
    assert found.requests == pytest.approx(10 * 0.0000002)
    assert found.storage == pytest.approx(170 * 9.5 * 0.0000000309)
    assert found.transitions == pytest.approx(14 * 0.000025)
    assert found.failed_attempts == 0
    assert found.total == pytest.approx(0.028735, abs=1e-6)


def test_a_region_without_prices_is_reckoned_with_those_of_another_and_says_so() -> None:
    """The report names the region whose prices they are, and the day on which they were looked up."""
    prices = prices_for("eu-north-1")
    usage = Usage([1_000])
    said = told(cost(usage, prices), cost(usage, prices), usage, prices)
    assert (said["pricesOf"], said["pricesAsOf"]) == ("us-east-1", VIRGINIA.as_of)
    assert any("INIT" in what for what in said["leavesOut"])


def test_the_estimate_grows_with_the_frames_and_their_cost() -> None:
    """A plan, its chunks, an assemble: each chunk pays for its start."""
    plan, first, second, assemble = expected_ms((240, 120), 40.0, 2.0, 3_000.0)
    assert plan == 3_000
    assert first - second == pytest.approx(120 * 43)
    assert assemble < second
    # Drawn in less time than it is encoded in.
    _, cheap, *_ = expected_ms((240, 120), 8.0, 2.0, 3_000.0)
    assert cheap == pytest.approx(2_000 + 240 * 23)
    assert sum(expected_ms((120, 120, 120), 40.0, 2.0, 3_000.0)) > sum((plan, first, second, assemble))
