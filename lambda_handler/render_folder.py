"""Where everything of one render lies: the folder both engines and all roles share."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_handler import storage
from lambda_handler.errors import InvalidConfig, RenderCancelled
from lambda_handler.events import CHUNK_FOLDER
from lambda_handler.manifest import ARTIFACTS, MANIFEST, Manifest

# All that renders write into their folder; anything else in it is somebody's video.
_FOLDERS = ("plan/", f"{CHUNK_FOLDER}/", "progress/", "attempts/", "endings/", "stills/")
_FILES = ("request.json", "report.json", "cancel")


def is_part(name: str) -> bool:
    """Whether the object of that name in a render folder is the render's own, which it can make anew."""
    return name in _FILES or name.startswith(_FOLDERS)


@dataclass(frozen=True)
class RenderFolder:
    """The render folder at the URI `prefix`."""

    prefix: str

    @classmethod
    def of_manifest(cls, uri: str) -> RenderFolder:
        """The folder whose manifest is at `uri`. Raises InvalidConfig for any other place."""
        if not uri.endswith(f"/{MANIFEST}"):
            raise InvalidConfig(f"PlanV2ManifestS3Uri: {uri} does not end with /{MANIFEST}.")
        return cls(uri.removesuffix(f"/{MANIFEST}"))

    @property
    def manifest(self) -> str:
        """Written last by the plan."""
        return storage.join(self.prefix, MANIFEST)

    @property
    def artifacts(self) -> str:
        """Below it, `sha256/<hh>/<sha256>`."""
        return storage.join(self.prefix, ARTIFACTS)

    @property
    def chunks(self) -> str:
        """Below it, `<index>-<chunk key>.<ext>`."""
        return storage.join(self.prefix, CHUNK_FOLDER)

    @property
    def cancel(self) -> str:
        """Its presence stops the workers between two frames."""
        return storage.join(self.prefix, "cancel")

    @property
    def request(self) -> str:
        """What the render was asked for with, written before anything is planned: so that anyone can resume it."""
        return storage.join(self.prefix, "request.json")

    def ending(self, run: str) -> str:
        """The mark of who has told how a run ended: whoever creates it tells."""
        return storage.join(self.prefix, "endings", f"{run}.json")

    @property
    def report(self) -> str:
        """What assemble verified."""
        return storage.join(self.prefix, "report.json")

    @property
    def poster(self) -> str:
        """A still of the finished video, JPEG."""
        return storage.join(self.prefix, "stills", "poster.jpg")

    @property
    def contact_sheet(self) -> str:
        """A grid of stills of the finished video, JPEG."""
        return storage.join(self.prefix, "stills", "contact-sheet.jpg")

    def chunk_still(self, manifest: Manifest, chunk: int, index: int) -> str:
        """A still that a chunk has put aside: of its frame `index`, JPEG."""
        name = manifest.chunk_name(chunk).partition(".")[0]
        return storage.join(self.prefix, "stills", name, f"{index}.jpg")

    def chunk_uris(self, manifest: Manifest) -> tuple[str, ...]:
        """The plan's chunks in their order, where workers put them when they are not told otherwise."""
        return tuple(storage.join(self.chunks, manifest.chunk_name(index)) for index in range(len(manifest.chunks)))

    def audio_uri(self, manifest: Manifest) -> str | None:
        """The plan's mixed sound, where it has any."""
        return storage.join(self.artifacts, manifest.audio.key) if manifest.audio else None

    def progress(self, chunk: int) -> str:
        """How far the chunk is."""
        return storage.join(self.prefix, "progress", f"{chunk}.json")

    @property
    def attempts(self) -> str:
        """Below it, what each invocation in Lambda took: see attempts.py."""
        return storage.join(self.prefix, "attempts")

    def check_cancelled(self) -> None:
        """Raises RenderCancelled when the render was cancelled."""
        if storage.exists(self.cancel):
            raise RenderCancelled(f"The render in {self.prefix} was cancelled.")
