"""Stills of a finished render on demand, from its video: nothing is rendered again."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from flows.request import uri_of
from lambda_handler import storage
from lambda_handler.errors import ProjectNotFound
from lambda_handler.formats import FORMATS, format_of
from lambda_handler.render_folder import RenderFolder
from lambda_handler.stills import contact_sheet, film, poster


def make_stills(
    render: str, folder: Path, *, at: float | None, frames: int, columns: int, width: int | None
) -> tuple[Path, Path]:
    """Writes NAME-poster.jpg and NAME-contact-sheet.jpg into `folder`; returns both.

    `render` is a video, or the folder of a render that has one: path or URI. The poster shows the moment `at`
    (seconds), or the most detailed frame of the sheet. Raises ProjectNotFound, InvalidConfig, OutputInvalid.
    """
    uri, fps = _video(uri_of(render))
    name = uri.rpartition("/")[2]
    with TemporaryDirectory(prefix="hf-stills-") as scratch:
        video = storage.path_of(uri) if urlsplit(uri).scheme == "file" else Path(scratch) / name
        if not video.is_file():
            _download(uri, video)
        shown = film(video, fps)
        sheet, most_detailed = contact_sheet(shown, frames, columns)
        still = poster(shown, most_detailed if at is None else shown.index_at(at), width)
    stem = _without_suffix(unquote(name))
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{stem}-poster.jpg", folder / f"{stem}-contact-sheet.jpg"
    for path, picture in zip(written, (still, sheet), strict=True):
        path.write_bytes(picture)
    return written


def _video(uri: str) -> tuple[str, Fraction | None]:
    """The video's URI, and its rate where a report tells it."""
    local = urlsplit(uri).scheme == "file"
    if not (storage.path_of(uri).is_dir() if local else format_of(uri) is None):
        return uri, None
    try:
        with storage.allowing([storage.path_of(uri)] if local else []):
            told = json.loads(storage.read(RenderFolder(uri).report))
    except FileNotFoundError as error:
        raise ProjectNotFound(f"{uri} is not the folder of a finished render: it has no report.json.") from error
    return told["outputUri"], Fraction(told["fps"])


def _download(uri: str, video: Path) -> None:
    try:
        with storage.allowing([video.parent]):
            storage.download(uri, video)
    except FileNotFoundError as error:
        raise ProjectNotFound(
            f"There is no video at {uri}.", resolution="Name a video, or the folder of a finished render."
        ) from error


def _without_suffix(name: str) -> str:
    """`promo.v1.mp4` is promo.v1, and its stills are not those of promo.v2.mp4."""
    known = format_of(name)
    return name[: -len(FORMATS[known].suffix)] if known else Path(name).stem
