"""A page over DevTools: what it asks for is answered here, whoever asks, and nothing it does stops the renderer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from math import inf, isnan

import pytest

from lambda_handler import toolchain
from lambda_handler.browser import launched
from lambda_handler.devtools import Devtools, Refused
from lambda_handler.errors import BrowserFailed
from lambda_handler.page import tab
from lambda_handler.page.tab import Answer, Request, ScriptThrew, Tab

PAGE = "https://page.test/"
LARGE = bytes(range(256)) * 16_384  # 4 MiB


@pytest.fixture(scope="module")
def devtools() -> Iterator[Devtools]:
    with launched(toolchain.chromium(), 64, 64) as browser:
        yield browser


@pytest.fixture
def page(devtools: Devtools) -> Iterator[Tab]:
    """An empty page of https://page.test, which finds there what FILES has."""

    def answer(request: Request) -> Answer | None:
        return FILES.get(request.url)

    with tab.opened(devtools) as opened:
        opened.answer = answer
        opened.open(PAGE)
        yield opened


FILES = {
    PAGE: Answer(b"<!doctype html><body></body>", "text/html"),
    f"{PAGE}large": Answer(LARGE, "application/octet-stream"),
    f"{PAGE}worker.js": Answer(
        b"fetch('/large').then((r) => r.arrayBuffer()).then((b) => postMessage(b.byteLength))", "text/javascript"
    ),
    "https://other.test/data": Answer(b'{"n": 1}', "application/json"),
}


def test_a_value_is_what_json_and_javascript_make_of_it(page: Tab) -> None:
    """Functions are called, promises waited for, numbers that JSON lacks kept."""
    assert page.evaluate("[1, 'two', null]") == [1, "two", None]
    assert page.evaluate("async ([a, b]) => a + b", ["x\u2028", "ü"]) == "x\u2028ü"
    assert page.evaluate("undefined") is None
    assert page.evaluate("1 / 0") == inf
    assert isnan(page.evaluate("0 / 0"))


def test_a_script_that_fails_is_told_in_its_own_words(page: Tab) -> None:
    """An error, something else that is thrown, a promise that is not kept, a slip of the pen."""
    for script, told in {
        "() => { throw TypeError('no') }": "TypeError: no",
        "() => { throw 'up' }": "up",
        "Promise.reject(Error('late'))": "late",
        "1 +": "SyntaxError",
    }.items():
        with pytest.raises(ScriptThrew) as caught:
            page.evaluate(script)
        assert caught.value.message.startswith(told)


def test_a_large_file_passes_both_ways(page: Tab) -> None:
    """4 MiB are many times what a pipe holds."""
    size, last = page.evaluate(
        "async () => { const body = await (await fetch('/large')).arrayBuffer();"
        "return [body.byteLength, new Uint8Array(body).at(-1)] }"
    )
    assert (size, last) == (len(LARGE), LARGE[-1])
    assert page.evaluate(f"'ü'.repeat({len(LARGE)})") == "ü" * len(LARGE)


def test_a_workers_requests_are_answered_too(page: Tab) -> None:
    """It has no network either."""
    told = page.evaluate("() => new Promise((done) => { new Worker('/worker.js').onmessage = (e) => done(e.data) })")
    assert told == len(LARGE)


def test_another_origins_files_can_be_read(page: Tab) -> None:
    """Also with headers for which a browser asks leave first."""
    for options in ("{}", "{headers: {'x-mine': '1'}, credentials: 'include'}"):
        assert page.evaluate(f"fetch('https://other.test/data', {options}).then((r) => r.json())") == {"n": 1}


def test_what_is_not_there_fails(page: Tab) -> None:
    with pytest.raises(ScriptThrew, match="Failed to fetch"):
        page.evaluate("fetch('/nothing')")


def test_a_page_that_asks_its_reader_goes_on(page: Tab) -> None:
    """Nobody is there to press a button."""
    assert page.evaluate("[alert('hm'), confirm('sure?'), prompt('name?')]") == [None, False, None]


def test_the_console_and_uncaught_errors_are_heard(page: Tab) -> None:
    """As a console would show them."""
    said: list[tuple[str, str]] = []
    thrown: list[str] = []
    page.said = lambda kind, text: said.append((kind, text))
    page.thrown = lambda error: thrown.append(error.message)
    page.evaluate(
        "() => { console.error('at', 5, null); console.log('fine'); setTimeout(() => { throw Error('late') }) }"
    )
    page.evaluate("new Promise((done) => setTimeout(done, 20))")
    assert said == [("error", "at 5 null"), ("log", "fine")]
    assert thrown == ["late"]


def test_a_method_that_chromium_does_not_know_is_refused(devtools: Devtools) -> None:
    with pytest.raises(Refused, match=r"Page\.fly"):
        devtools.call("Page.fly")


def test_a_browser_that_hangs_is_not_waited_for_for_ever() -> None:
    """And is ended all the same."""
    with launched(toolchain.chromium(), 64, 64) as browser:
        os.killpg(browser.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(BrowserFailed, match="does not answer"):
            browser.call("Browser.getVersion", within=0.2)
        browser.kill()
        with pytest.raises(BrowserFailed, match="has died"):
            browser.call("Browser.getVersion")
        assert time.monotonic() - began < 5
