"""What went wrong inside a page: what makes the picture another one, and what the report should say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from lambda_handler.compile.script_scope import FAILURE_LABEL
from lambda_handler.errors import PageAssetMissing, PageScriptFailed
from lambda_handler.page.tab import Request, ScriptThrew
from lambda_handler.site import PAGE

ORIGIN = "https://composition.local"
MAX_CONSOLE_ERRORS = 20
MAX_CONSOLE_CHARACTERS = 300
MAX_LINE_CHARACTERS = 120

# Without these the picture is another one; a failed fetch is the page's own business.
_PICTURE_REQUESTS = frozenset({"Document", "Script", "Stylesheet", "Font", "Image"})
# The runtime asks for it wherever there are captions, and most projects have none.
_OPTIONAL = frozenset({"/caption-overrides.json"})
# Chromium's own words about a request that is told already.
_FAILED_REQUEST = "Failed to load resource"


@dataclass
class Problems:
    """Scripts that threw, files that are missing, requests that were refused, errors on the console.

    And the compositions whose timelines have too many tweens to be visited before the first frame. `page` is the file
    of the compiled page.
    """

    page: Path | None = None
    scripts: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    unprimed: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises PageAssetMissing or PageScriptFailed when the picture cannot be right."""
        if self.missing:
            urls = sorted(set(self.missing))
            remote = [url for url in urls if url.startswith(("http:", "https:"))]
            raise PageAssetMissing(
                f"The page asks for what is not there: {', '.join(urls)}.",
                resolution="A page that is drawn has no network, and only what its files spell out is fetched before: "
                "put what scripts ask for into the project."
                if remote
                else None,
            )
        if self.scripts:
            raise PageScriptFailed("A script of the composition threw: " + " | ".join(dict.fromkeys(self.scripts)))

    def warnings(self) -> tuple[str, ...]:
        """What did not stop the render, for its report."""
        refused = (f"The page asked for {url}, which it was refused." for url in dict.fromkeys(self.refused))
        console = (f"The page's console says: {text}" for text in dict.fromkeys(self.console))
        unprimed = (
            f'Composition "{name}" has a timeline with very many tweens. They are not visited before the first frame: '
            "one that begins where another left off may begin elsewhere, depending on how the video is cut."
            for name in self.unprimed
        )
        return (*unprimed, *refused, *list(console)[:MAX_CONSOLE_ERRORS])

    def refuse(self, request: Request) -> None:
        """Remembers a request that got no answer."""
        url = request.url.removeprefix(ORIGIN)
        if url not in _OPTIONAL:
            (self.missing if request.kind in _PICTURE_REQUESTS else self.refused).append(url)

    def hear(self, kind: str, text: str) -> None:
        """Remembers an error that the page put on its console."""
        if kind == "error" and not text.startswith(_FAILED_REQUEST):
            self._note(text, script=text.startswith(FAILURE_LABEL))

    def catch(self, error: ScriptThrew) -> None:
        """Remembers what was thrown, and the file and line where the page's own files have a part in it."""
        place = re.search(rf"{ORIGIN}/([^\s)]+?):(\d+):(\d+)", error.stack)
        message = error.message.splitlines()[0] if error.message else "an error without a message"
        where = f" ({self._where(place[1], int(place[2]), int(place[3]))})" if place else ""
        self._note(message + where, script=True)

    def _where(self, file: str, line: int, column: int) -> str:
        """`app.js:12`; of the page the line itself, since compiling has given it another number than its author did."""
        if file != PAGE or self.page is None:
            return f"{file}:{line}"
        text = self.page.read_text("utf-8").splitlines()[line - 1]
        told = text if len(text) <= MAX_LINE_CHARACTERS else text[column - 1 :][:MAX_LINE_CHARACTERS]
        return f"{file}: {told.strip()}"

    def _note(self, text: str, *, script: bool) -> None:
        if script:
            self.scripts.append(text)
        else:
            self.console.append(text[:MAX_CONSOLE_CHARACTERS])
