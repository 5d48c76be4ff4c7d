"""The error tree: one table for the handler, for Prefect and for Step Functions."""

from __future__ import annotations

import pickle
import re

import pytest

from lambda_handler import errors
from lambda_handler.errors import ERRORS, RenderError, Retry, from_wire
from lambda_handler.handler import on_the_wire


def _children(kind: type[RenderError]) -> list[type[RenderError]]:
    """Those of the tree: what an engine adds for itself never crosses the wire."""
    return [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]


def _everything(root: type[RenderError]) -> list[type[RenderError]]:
    return [root, *(leaf for child in _children(root) for leaf in _everything(child))]


def _drawn() -> list[tuple[int, str, str | None]]:
    """The docstring's tree: depth, class, and the code if there is one."""
    lines = re.findall(r"^[│├└─ ]*[A-Z]\w+.*$|^ {30,}\w+$", errors.__doc__ or "", re.MULTILINE)
    tree: list[tuple[int, str, str | None]] = []
    for line in lines:
        text = line.lstrip("│├└─ ")
        if line.startswith(" " * 30):  # the code of the class on the line before
            depth, name, _ = tree.pop()
            tree.append((depth, name, text))
        elif (depth := len(line) - len(text)) or text == "RenderError":
            words = text.split("  ", 1)
            last = words[1].strip() if len(words) == 2 else ""
            tree.append((depth // 4, words[0], last if last and " " not in last else None))
    return tree


def test_every_class_has_a_code_of_its_own() -> None:
    """Two classes under one code could not be told apart on the wire."""
    everything = _everything(RenderError)
    assert [ERRORS[kind.code] for kind in everything] == everything
    assert len(ERRORS) == len(everything)


def test_the_drawn_tree_is_the_tree() -> None:
    """The docstring lists exactly the classes that exist, in their places, leaves with their codes."""

    def walked(kind: type[RenderError], depth: int) -> list[tuple[int, str, str | None]]:
        children = _children(kind)
        told = (depth, kind.__name__, None if children else kind.code)
        return [told, *(line for child in children for line in walked(child, depth + 1))]

    assert _drawn() == walked(RenderError, 0)


@pytest.mark.parametrize("kind", _everything(RenderError), ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_next(kind: type[RenderError]) -> None:
    """What was wrong stands first, the class's advice after it."""
    assert str(kind("It broke.")) == f"It broke.\n{kind.advice}"
    assert kind.advice.endswith(".")


@pytest.mark.parametrize("kind", _everything(RenderError), ids=lambda kind: kind.__name__)
def test_pickling_keeps_type_summary_and_resolution(kind: type[RenderError]) -> None:
    """Errors travel between processes and through Prefect's results."""
    error = pickle.loads(pickle.dumps(kind("It broke.", resolution="Mend it.")))  # noqa: S301 - our own bytes
    assert (type(error), error.summary, error.resolution) == (kind, "It broke.", "Mend it.")


@pytest.mark.parametrize("kind", _everything(RenderError), ids=lambda kind: kind.__name__)
def test_an_error_survives_the_wire(kind: type[RenderError]) -> None:
    """What a worker raised is what the caller raises: type, summary, resolution."""
    sent = on_the_wire(kind("It broke,\nin two lines.", resolution="Mend it."))
    error = from_wire(type(sent).__name__, str(sent))
    assert (type(error), error.summary, error.resolution) == (kind, "It broke,\nin two lines.", "Mend it.")


def test_an_unknown_code_is_a_render_error_that_is_not_retried() -> None:
    """A worker's MemoryError says nothing of whether another try would help."""
    error = from_wire("MemoryError", "out of memory")
    assert type(error) is RenderError
    assert error.summary == "out of memory"
    assert error.resolution == RenderError.advice
    assert error.retry is Retry.NEVER


def test_an_empty_message_still_makes_an_error() -> None:
    """Some exceptions have no text at all."""
    assert str(from_wire("KeyboardInterrupt", "")) == f"\n{RenderError.advice}"


def test_only_transient_and_throttled_errors_are_retried() -> None:
    """Every other error would only happen again."""
    retried = {kind.__name__ for kind in _everything(RenderError) if kind.retry is not Retry.NEVER}
    assert retried == {
        "Transient",
        "BrowserFailed",
        "EncoderInterrupted",
        "ChunkInvalid",
        "AssetFetchUnavailable",
        "FontFetchUnavailable",
        "StorageUnavailable",
        "WorkerLost",
        "Throttled",
    }
    assert ERRORS["THROTTLED"].retry is Retry.THROTTLED
