"""What the plan freezes of the videos: what each shows and when, and where the frames of its source stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lambda_handler.errors import FeatureNotSupported, InvalidConfig, VideoSourceUnrenderable
from lambda_handler.manifest import VideoClip
from lambda_handler.media_clips import MediaClip
from lambda_handler.media_sources import MediaSource
from lambda_handler.toolchain import Ffmpeg
from lambda_handler.video.frames import FrameReader
from lambda_handler.video.player import TABLE
from lambda_handler.video.schedule import Schedule

TABLES = "_hf/tables/"
_CHECKS = 4


def frozen(
    clips: Iterable[MediaClip], sources: Mapping[str, MediaSource], frame_format: str = "auto"
) -> tuple[tuple[VideoClip, ...], dict[str, bytes]]:
    """The videos among `clips` that are ever seen, and the tables of their sources' frames by artifact path.

    `frame_format`, "auto", "jpg" or "png", is the kind of the pictures that frames become. Raises
    VideoSourceUnrenderable for a video whose file has no pictures, FeatureNotSupported for one whose speed changes,
    InvalidConfig where JPEG would lose its alpha.
    """
    videos = []
    tables = {}
    for clip in clips:
        if clip.tag != "video" or clip.hidden:
            continue
        if clip.ramped:
            raise FeatureNotSupported(
                f'<video id="{clip.render_id}">: data-automation has a lane that changes the speed, which cannot be '
                "rendered.",
                resolution="Use a constant data-playback-rate instead.",
            )
        track = sources[clip.source].video
        if track is None:
            raise VideoSourceUnrenderable(f'<video id="{clip.render_id}">: {clip.source} has sound only, no pictures.')
        table = f"{TABLES}{hashlib.sha256(clip.source.encode()).hexdigest()[:16]}.json"
        if track.alpha and frame_format == "jpg":
            raise InvalidConfig(
                f"videoFrameFormat is jpg, and {clip.source} has alpha, which JPEG has not.",
                resolution="Ask for auto or png.",
            )
        # A frame that may have alpha becomes PNG; and PNG loses nothing of one that has none.
        tables[table] = TABLE.dump_json(replace(track, alpha=True) if frame_format == "png" else track)
        videos.append(
            VideoClip(
                render_id=clip.render_id,
                source=clip.source,
                table=table,
                start=clip.start,
                end=clip.end,
                media_start=clip.media_start,
                rate=clip.rate,
                loop=clip.loop,
            )
        )
    return tuple(videos), tables


def check_decodable(
    tool: Ffmpeg,
    videos: Sequence[VideoClip],
    sources: Mapping[str, MediaSource],
    files: Mapping[str, Path],
    fps: Fraction,
) -> None:
    """Decodes the first and the last frame of every video. Raises VideoSourceUnrenderable."""

    def check(clip: VideoClip) -> None:
        track = sources[clip.source].video
        assert track is not None  # noqa: S101 - `frozen` made the clip of it
        schedule = Schedule(clip, track, fps)
        reader = FrameReader(tool, files[clip.source], track, clip.source)
        try:
            for seconds in (clip.start, clip.end - float(1 / fps)):
                reader.read(schedule.frame_at(seconds))
        finally:
            reader.close()

    with ThreadPoolExecutor(_CHECKS) as pool:
        list(pool.map(check, videos))
