"""The virtual clock in a real page: time moves only when it is told to, and the same moment is always the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.devtools import Devtools
from lambda_handler.page import CLOCK_SCRIPT, tab
from lambda_handler.page.tab import Answer, ScriptThrew, Tab

Opened = Callable[[str], Tab]
HELPERS = "const log = []; const at = name => log.push([name, performance.now()]);"


@pytest.fixture(scope="module")
def browser() -> Iterator[Devtools]:
    with launched(toolchain.chromium(), 64, 64) as browser:
        yield browser


@pytest.fixture
def opened(browser: Devtools) -> Iterator[Opened]:
    """Opens a page that runs a script under the virtual clock."""
    with ExitStack() as tabs:

        def opened(script: str) -> Tab:
            page = tabs.enter_context(tab.opened(browser))
            page.before_scripts(CLOCK_SCRIPT)
            html = f"<body><script>{HELPERS}{script}</script></body>".encode()
            page.answer = lambda _: Answer(html, "text/html")
            page.open("https://page.test/", until="load")
            return page

        yield opened


def _seek(page: Tab, milliseconds: float) -> Any:
    return page.evaluate("async ms => { await __hfClock.seekTo(ms); return log.splice(0) }", milliseconds)


def test_time_stands_still_while_the_page_loads(opened: Opened) -> None:
    """All clocks of the page say 0, and go on saying it however long it takes."""
    page = opened("")
    clocks = "[Date.now(), new Date().getTime(), +new Date(), performance.now(), new Date().getFullYear()]"
    assert page.evaluate(clocks) == [0, 0, 0, 0, 1970]
    page.evaluate("__hfClock.pause(30)")
    assert page.evaluate("__hfClock.whileLoading({polls: true})") is None
    assert page.evaluate(clocks) == [0, 0, 0, 0, 1970]


def test_every_clock_tells_the_moment_that_was_sought(opened: Opened) -> None:
    """Date in whole milliseconds, performance.now exactly."""
    page = opened("")
    _seek(page, 1500.75)
    assert page.evaluate("[Date.now(), +new Date(), performance.now()]") == [1500, 1500.75 // 1, 1500.75]
    _seek(page, 200)
    assert page.evaluate("[Date.now(), performance.now()]") == [200, 200]


def test_a_date_with_arguments_is_an_ordinary_date(opened: Opened) -> None:
    """Only "now" is virtual."""
    page = opened("")
    told = page.evaluate(
        "[new Date(2020, 1, 29).getDate(), new Date('2026-11-23T00:00:00Z').toISOString(), Date.UTC(1970, 0, 2),"
        " new Date() instanceof Date, class extends Date {}.name !== undefined, typeof Date()]"
    )
    assert told == [29, "2026-11-23T00:00:00.000Z", 86_400_000, True, True, "string"]


def test_timers_run_in_the_order_of_their_due_times_each_at_its_own(opened: Opened) -> None:
    """Whatever the order in which they were set; those due at the same time as they were set."""
    page = opened(
        "setTimeout(() => at('c'), 300); setTimeout(() => at('a'), 100); setTimeout(() => at('b1'), 200);"
        "setTimeout(() => at('b2'), 200); setTimeout(() => at('late'), 301);"
    )
    assert _seek(page, 300) == [["a", 100], ["b1", 200], ["b2", 200], ["c", 300]]
    assert _seek(page, 1000) == [["late", 301]]
    assert _seek(page, 2000) == []


def test_timers_get_their_arguments_and_can_be_cleared(opened: Opened) -> None:
    """By either function, as in a browser."""
    page = opened(
        "setTimeout((a, b) => at(a + b), 10, 'x', 'y'); clearTimeout(setTimeout(() => at('gone'), 10));"
        "clearInterval(setTimeout(() => at('gone'), 10)); setTimeout('at(\"text\")', 20);"
    )
    assert _seek(page, 100) == [["xy", 10], ["text", 20]]


def test_an_interval_fires_at_every_multiple(opened: Opened) -> None:
    """Until it is cleared, also from inside itself."""
    page = opened("let n = 0; const id = setInterval(() => { at('i'); if (++n === 5) clearInterval(id) }, 40);")
    assert _seek(page, 100) == [["i", 40], ["i", 80]]
    assert _seek(page, 1000) == [["i", 120], ["i", 160], ["i", 200]]


def test_an_interval_fires_the_same_however_time_is_moved(opened: Opened) -> None:
    """In one jump or frame by frame."""
    page = opened("setInterval(() => at('i'), 25);")
    steps = [entry for frame in range(1, 31) for entry in _seek(page, frame * 1000 / 30)]
    other = opened("setInterval(() => at('i'), 25);")
    assert steps == _seek(other, 1000)
    assert len(steps) == 40


def test_a_chain_of_zero_timers_lets_time_go_on(opened: Opened) -> None:
    """Timers set by timers wait at least 4 ms, as HTML says: otherwise the chain would never end."""
    page = opened("const again = () => { at('z'); setTimeout(again, 0) }; setTimeout(again, 0);")
    assert _seek(page, 10) == [["z", 0], ["z", 4], ["z", 8]]


def test_a_timer_loop_that_does_not_end_is_an_error(browser: Devtools) -> None:
    """Here with a limit of 500 timers for one seek, to be quick about it."""
    limited = CLOCK_SCRIPT.replace("MAX_TIMERS_PER_SEEK = 200000", "MAX_TIMERS_PER_SEEK = 500")
    assert limited != CLOCK_SCRIPT
    with tab.opened(browser) as page:
        page.before_scripts(limited)
        page.open("data:text/html,<script>const again = () => setTimeout(again, 0); again()</script>")
        page.evaluate("__hfClock.seekTo(1900)")
        with pytest.raises(ScriptThrew, match=r"500 timers fell due .* a timer loop that does not end"):
            page.evaluate("__hfClock.seekTo(5000)")


def test_promises_settle_between_two_timers(opened: Opened) -> None:
    """What a timer's promise does happens at the timer's time, before the next timer."""
    page = opened(
        "setTimeout(() => Promise.resolve().then(() => at('then')), 10); setTimeout(() => at('next'), 10);"
        "const wait = ms => new Promise(done => setTimeout(done, ms));"
        "(async () => { await wait(20); at('one'); await wait(20); at('two') })();"
    )
    assert _seek(page, 50) == [["then", 10], ["next", 10], ["one", 20], ["two", 40]]


def test_a_timer_that_throws_is_reported_and_the_next_one_runs(opened: Opened) -> None:
    """As in a browser."""
    page = opened("setTimeout(() => { throw Error('broken') }, 1); setTimeout(() => at('next'), 2);")
    errors: list[str] = []
    page.thrown = lambda error: errors.append(error.message)
    assert _seek(page, 5) == [["next", 2]]
    page.evaluate("0")
    assert errors == ["broken"]


def test_a_way_that_is_gone_in_pieces_passes_the_same_moments(opened: Opened) -> None:
    """Timers, animation frames and randomness as if it were gone at once; here it stops after each animation frame."""
    script = (
        "const draw = now => { log.push(['frame', now, Math.random()]); requestAnimationFrame(draw) };"
        "requestAnimationFrame(draw); setInterval(() => log.push(['timer', performance.now(), Math.random()]), 170);"
    )
    pieces = (
        "async ms => { let calls = 1; while (!(await __hfClock.seekTo(ms, {patience: 0}))) calls++;"
        " return [calls, log.splice(0)] }"
    )
    for moments in ((3000,), (1000 / 30, 3100)):
        whole, cut = opened(script), opened(script)
        for moment in moments:
            at_once = whole.evaluate("async ms => [await __hfClock.seekTo(ms), log.splice(0)]", moment)
            calls, in_pieces = cut.evaluate(pieces, moment)
            assert at_once == [True, in_pieces]
        assert calls > 5
        assert [entry[1] for entry in in_pieces if entry[0] == "frame"][:2] == [
            moments[0] % 1000 + 500,
            moments[0] % 1000 + 1000,
        ]


def test_an_animation_frame_runs_once_for_each_frame(opened: Opened) -> None:
    """What it asks for waits for the next one; its time is the frame's."""
    page = opened(
        "const draw = now => { log.push(now); requestAnimationFrame(draw) }; requestAnimationFrame(draw);"
        "cancelAnimationFrame(requestAnimationFrame(() => at('gone')));"
    )
    page.evaluate("async () => { for (const ms of [0, 33, 66]) "
                  "{ await __hfClock.seekTo(ms); __hfClock.animationFrame() } }")  # fmt: skip
    assert page.evaluate("log") == [0, 33, 66]


RANDOM = (
    "() => { __hfClock.animationFrame(); return [Math.random(), Math.random(), crypto.randomUUID(), "
    "Array.from(crypto.getRandomValues(new Uint8Array(7))), Array.from(crypto.getRandomValues(new Uint32Array(2)))] }"
)


def test_a_moment_has_its_own_randomness_and_always_the_same(opened: Opened) -> None:
    """Also when it is come back to, and on another page, whatever was drawn in between."""
    page = opened("Math.random(); Math.random();")
    told = {}
    for moment in (0, 1000 / 30, 500, 1000):
        _seek(page, moment)
        told[moment] = page.evaluate(RANDOM)
    assert len({str(values) for values in told.values()}) == 4
    other = opened("setInterval(() => Math.random(), 7);")
    for moment in (500, 1000 / 30, 1000, 0):
        _seek(other, moment)
        _seek(page, moment)
        assert page.evaluate(RANDOM) == other.evaluate(RANDOM) == told[moment]


def test_random_numbers_are_spread_evenly(opened: Opened) -> None:
    """Between 0 and 1, none twice, about a tenth in each tenth."""
    numbers = opened("").evaluate("Array.from({length: 10000}, () => Math.random())")
    assert all(0 <= number < 1 for number in numbers)
    assert len(set(numbers)) > 9990
    tenths = [sum(int(number * 10) == tenth for number in numbers) for tenth in range(10)]
    assert min(tenths) > 850
    assert max(tenths) < 1150


def test_polling_timers_run_while_loading_and_long_ones_do_not(opened: Opened) -> None:
    """A page that waits by polling gets on; one that means a moment of the video waits for it."""
    page = opened(
        "setTimeout(() => at('moment'), 2000); const poll = () => { at('poll'); setTimeout(poll, 50) }; poll();"
    )
    page.evaluate("log.splice(0)")
    page.evaluate("async () => { for (let i = 0; i < 3; i++) await __hfClock.whileLoading({polls: true}) }")
    assert page.evaluate("log") == [["poll", 0]] * 3
    page.evaluate("__hfClock.whileLoading({})")
    assert page.evaluate("log.length") == 3


def test_a_poll_does_not_keep_other_timers_from_running(opened: Opened) -> None:
    """Each short timer gets its turn though time stands still; of the long ones only the earliest, and at last."""
    page = opened(
        "setInterval(() => at('poll'), 20); setTimeout(() => at('set up'), 100);"
        "setTimeout(() => at('second'), 3000); setTimeout(() => at('first'), 2000);"
    )
    page.evaluate("__hfClock.whileLoading({polls: true})")
    assert page.evaluate("log.splice(0)") == [["poll", 0], ["set up", 0]]
    page.evaluate("__hfClock.whileLoading({any: true})")
    assert page.evaluate("log") == [["poll", 0], ["first", 0]]
