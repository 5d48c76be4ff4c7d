"""The stills of a video that is being rendered: each chunk puts those of its frames aside, and nobody decodes them.

They are the frames of the contact sheet, as JPEG and as wide as the poster, which is the most detailed of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lambda_handler import storage
from lambda_handler.encode import Stills
from lambda_handler.grid import FrameRange
from lambda_handler.manifest import Manifest
from lambda_handler.render_folder import RenderFolder
from lambda_handler.site import TRANSFERS
from lambda_handler.stills import POSTER_WIDTH, height_at, sheet_frames


def wanted(manifest: Manifest, which: FrameRange, folder: Path) -> Stills | None:
    """Those of a chunk, to be put into `folder`; None where it has none, or alpha, which a JPEG has not."""
    indices = _indices(manifest, which)
    if not indices:
        return None
    width = min(POSTER_WIDTH, manifest.width)
    return Stills(folder, indices, width, height_at(width, manifest.width, manifest.height))


def store(stills: Stills, chunk: int, manifest: Manifest, to: RenderFolder) -> None:
    """Puts them into the render folder, under the name of what made them, as the chunk itself."""
    for index, file in stills.files.items():
        storage.write(to.chunk_still(manifest, chunk, index), file.read_bytes())


def stored(manifest: Manifest, of: RenderFolder) -> list[bytes]:
    """All of them, in order; none where one is missing, or the chunks made none."""
    uris = [
        of.chunk_still(manifest, chunk, index)
        for chunk in range(len(manifest.chunks))
        for index in _indices(manifest, manifest.chunk(chunk))
    ]
    try:
        with ThreadPoolExecutor(TRANSFERS) as pool:
            return list(pool.map(storage.read, uris))
    except FileNotFoundError:
        return []


def _indices(manifest: Manifest, which: FrameRange) -> tuple[int, ...]:
    if manifest.format != "mp4":
        return ()
    frames = sheet_frames(manifest.total_frames)
    return tuple(index - which.start for index in frames if which.start <= index < which.end)
