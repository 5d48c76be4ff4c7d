"""What the render tests share: tiny projects, and one render driven through the handler."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_handler import storage, toolchain
from lambda_handler.formats import FORMATS
from lambda_handler.handler import handler
from lambda_handler.limits import Context
from lambda_handler.manifest import Manifest

WIDTH, HEIGHT = 320, 180
GSAP = "https://cdn.jsdelivr.net/npm/gsap@3.14.2/dist/gsap.min.js"
BOX = '<div id="box" style="position:absolute;width:40px;height:40px;top:70px;background:#e33"></div>'
MOVING = BOX + (
    "<script>addEventListener('hf-seek', ({detail}) => {"
    "document.getElementById('box').style.left = `${Math.round(detail.time * 200)}px`; });</script>"
)
RESTLESS = MOVING.replace("detail.time * 200", "detail.time * 200 % 280")
"""Moves in every frame, however long the video is."""

Project = Callable[..., Path]


def page(body: str = MOVING, *, head: str = "", **attributes: str) -> str:
    """A page with one composition of 320 x 180 px and 1 s around `body`.

    `attributes` are its data- attributes, with underscores for dashes; an empty one is left out.
    """
    given = {"composition_id": "main", "width": str(WIDTH), "height": str(HEIGHT), "duration": "1"}
    given |= {"start": "0", "no_timeline": "true"} | attributes
    written = " ".join(f'data-{name.replace("_", "-")}="{value}"' for name, value in given.items() if value)
    style = f"width:{WIDTH}px;height:{HEIGHT}px;position:relative;background:#fff;overflow:hidden"
    return (
        f"<!doctype html><html><head><style>body{{margin:0}}</style>{head}</head>"
        f'<body><div id="root" {written} style="{style}">{body}</div></body></html>'
    )


@dataclass
class Render:
    """One render: its project, its folder, and the three roles played one after another."""

    project: str
    folder: str
    config: Mapping[str, Any] = field(default_factory=dict)
    planned: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        """Where the video goes."""
        return f"{self.folder}/out/video{FORMATS[self.config.get('format', 'mp4')].suffix}"

    @property
    def chunk_names(self) -> list[str]:
        """The chunk objects that are in the folder."""
        return sorted(storage.listing(f"{self.folder}/chunks"))

    @property
    def manifest(self) -> Manifest:
        """The plan as it is stored."""
        return Manifest.model_validate_json(storage.read(f"{self.folder}/plan/manifest.json"))

    def plan(self) -> dict[str, Any]:
        """Plans; the other roles use what it returns."""
        event = {"ProjectS3Uri": self.project, "PlanOutputS3Prefix": self.folder, "Config": dict(self.config)}
        self.planned = handler({"Action": "plan", **event})
        return self.planned

    def event(self, action: str, **fields: Any) -> dict[str, Any]:
        """An event about the plan, `fields` beside or instead of its own."""
        told = {name: self.planned[name] for name in ("PlanHash", "PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix")}
        return {"Action": action, **told, **fields}

    def chunk(self, index: int, context: Context | None = None, **fields: Any) -> dict[str, Any]:
        """Renders one chunk."""
        where = {"ChunkIndex": index, "ChunkOutputS3Prefix": f"{self.folder}/chunks"}
        return handler(self.event("renderChunk", **where | fields), context)

    def chunks(self) -> list[str]:
        """Renders all chunks; returns their URIs in order."""
        return [str(self.chunk(index)["ChunkS3Uri"]) for index in range(self.planned["ChunkCount"])]

    def assemble(self, uris: list[str], **fields: Any) -> dict[str, Any]:
        """Joins the chunks at `uris`."""
        where = {"ChunkS3Uris": uris, "OutputS3Uri": self.output}
        return handler(self.event("assemble", **where | fields))

    def whole(self) -> bytes:
        """Plans, renders and assembles; returns the video's bytes."""
        self.plan()
        self.assemble(self.chunks())
        return storage.read(self.output)


def pixels(video: Path, width: int = WIDTH, height: int = HEIGHT) -> list[bytes]:
    """The decoded frames of a video, RGB, 3 bytes a pixel."""
    return _decoded(["-i", str(video)], "rgb24", width * height * 3)


def alpha_pixels(video: Path, width: int = WIDTH, height: int = HEIGHT) -> list[bytes]:
    """The decoded frames of a video or of an archive of pictures, RGBA, 4 bytes a pixel, alpha not multiplied in."""
    size = width * height * 4
    if video.name.endswith(".tar.gz"):
        with tarfile.open(video) as tar:
            pictures = [file.read() for member in tar if (file := tar.extractfile(member))]
        return _decoded(["-f", "image2pipe", "-c:v", "png", "-i", "pipe:0"], "rgba", size, b"".join(pictures))
    decoder = ["-c:v", "libvpx-vp9"] if video.suffix == ".webm" else []
    return _decoded([*decoder, "-i", str(video)], "rgba", size)


def _decoded(source: list[str], pixel_format: str, size: int, given: bytes | None = None) -> list[bytes]:
    command = [str(toolchain.ffmpeg().executable), "-v", "error", *source]
    command += ["-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp", "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", pixel_format, "pipe:1"]
    data = subprocess.run(command, input=given, capture_output=True, check=True).stdout
    assert len(data) % size == 0
    return [data[start : start + size] for start in range(0, len(data), size)]


def described(video: Path) -> str:
    """What ffmpeg says about a file."""
    command = [str(toolchain.ffmpeg().executable), "-hide_banner", "-i", str(video)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr
