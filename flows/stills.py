"""Stills of a finished render on demand, from its video: nothing is rendered again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from flows.request import uri_of
from flows.status import finished_report
from lambda_handler import storage
from lambda_handler.errors import RenderNotFound
from lambda_handler.formats import FORMATS, format_of
from lambda_handler.render_folder import RenderFolder
from lambda_handler.stills import contact_sheet, film, poster


def is_video(render: str) -> bool:
    """Whether `render`, path or URI, is a video rather than a render's folder or name: a file, or named like one."""
    uri = uri_of(render)
    path = storage.path_of(uri) if urlsplit(uri).scheme == "file" else None
    return path.is_file() if path and path.exists() else format_of(uri) is not None


def video_of(folder: RenderFolder) -> tuple[str, Fraction]:
    """The URI of a finished render's video, and its rate in frames/s. Raises RenderNotFound."""
    told = finished_report(folder)
    return told["outputUri"], Fraction(told["fps"])


def make_stills(
    uri: str,
    folder: Path,
    *,
    fps: Fraction | None = None,
    at: float | None,
    frames: int,
    columns: int,
    width: int | None,
) -> tuple[Path, Path]:
    """Writes NAME-poster.jpg and NAME-contact-sheet.jpg of the video at `uri` into `folder`; returns both.

    `fps` is for pictures, which have no rate of their own. The poster shows the moment `at` (seconds), or the most
    detailed frame of the sheet. Raises RenderNotFound, InvalidConfig, OutputInvalid.
    """
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


def _download(uri: str, video: Path) -> None:
    try:
        with storage.allowing([video.parent]):
            storage.download(uri, video)
    except FileNotFoundError as error:
        raise RenderNotFound(
            f"There is no video at {uri}.", resolution="Name a video, or a finished render by its folder or name."
        ) from error


def _without_suffix(name: str) -> str:
    """`promo.v1.mp4` is promo.v1, and its stills are not those of promo.v2.mp4."""
    known = format_of(name)
    return name[: -len(FORMATS[known].suffix)] if known else Path(name).stem
