"""What the tests of pages share: a composition opened in a browser, and the colours that it shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rendering import HEIGHT, WIDTH

from lambda_handler import toolchain
from lambda_handler.compile.fetch import Fetch, Fetched
from lambda_handler.compile.page import CompiledPage, compile_page, init_script
from lambda_handler.devtools import Devtools
from lambda_handler.media_sources import page_facts, probe_all
from lambda_handler.page.session import CompositionPage, opened
from lambda_handler.site import stage

SIZE = {"width": WIDTH, "height": HEIGHT}
Colour = tuple[int, int, int]


def no_network(url: str, *, asked_by: str) -> Fetched:
    """A `Fetch` for what must not need one."""
    raise AssertionError(f"{asked_by} asks the network for {url}.")


@dataclass(frozen=True)
class Shown:
    """A composition that is ready, and what it shows."""

    page: CompositionPage

    def told(self, expression: str) -> Any:
        """What JavaScript in the page says."""
        return self.page._evaluate(f"() => {expression}")

    def png(self, seconds: float) -> bytes:
        """The picture at the moment `seconds`."""
        self.page.seek(seconds)
        return self.page.picture("png")

    def colours(self, seconds: float, *places: tuple[int, int]) -> list[Colour]:
        """The colours that the picture at the moment `seconds` has at (x, y)."""
        command = [str(toolchain.ffmpeg().executable), "-v", "error", "-f", "png_pipe", "-i", "pipe:0"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
        data = subprocess.run(command, input=self.png(seconds), capture_output=True, check=True).stdout
        assert len(data) == WIDTH * HEIGHT * 3
        starts = [(y * WIDTH + x) * 3 for x, y in places]
        return [(data[start], data[start + 1], data[start + 2]) for start in starts]

    def colour(self, seconds: float, x: int, y: int) -> Colour:
        """One of them."""
        return self.colours(seconds, (x, y))[0]


def compiled(project: Path, variables: Mapping[str, Any] | None = None, fetch: Fetch = no_network) -> CompiledPage:
    """The project's flat page, by the pinned packages."""
    return compile_page(
        project,
        "index.html",
        variables or {},
        node_modules=toolchain.node_modules(),
        runtime=toolchain.page_runtime().script,
        fetch=fetch,
    )


@contextmanager
def composed(
    browser: Devtools,
    place: Path,
    html: str,
    files: Mapping[str, str | bytes] | None = None,
    variables: Mapping[str, Any] | None = None,
    fetch: Fetch = no_network,
) -> Iterator[tuple[CompiledPage, CompositionPage]]:
    """Writes a page and its project's other files below `place`, compiles it and opens it; not yet made ready."""
    folder = place / "project"
    for name, content in {"index.html": html, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    flat = compiled(folder, variables, fetch)
    site = stage(flat.files, place / "staged")
    facts = page_facts(probe_all(toolchain.ffmpeg(), {path: site[path] for path in flat.media}))
    with opened(browser, site, init_script(30.0, facts, flat.animated), **SIZE, fps=30.0) as composition:
        yield flat, composition


Shows = Callable[..., AbstractContextManager[Shown]]


def shows_in(browser: Devtools, place: Path) -> Shows:
    """Opens a page, and other files of its project, and makes it ready."""

    @contextmanager
    def showing(
        html: str, files: Mapping[str, str | bytes] | None = None, variables: Mapping[str, Any] | None = None
    ) -> Iterator[Shown]:
        with composed(browser, place, html, files, variables) as (_, composition):
            composition.make_ready(())
            yield Shown(composition)
            composition.problems.check()

    return showing
