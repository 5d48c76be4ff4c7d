"""What the reference deployment's client sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONFIG: Mapping[str, Any] = {
    "fps": 30,
    "width": 1920,
    "height": 1080,
    "format": "mp4",
    "chunkSize": 240,
    "maxParallelChunks": 8,
    "runtimeCap": "lambda",
}
