"""The whole sound of a composition in one file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from lambda_handler.audio import codec as codecs
from lambda_handler.audio.codec import Codec
from lambda_handler.audio.effects import Effects
from lambda_handler.audio.heard import Processing, Score, Voice
from lambda_handler.audio.sound import FRAME_BYTES, extract
from lambda_handler.audio.sum import Fades, Part, add_up
from lambda_handler.errors import AudioSourceInvalid
from lambda_handler.toolchain import Ffmpeg

EffectsPage = Callable[[], AbstractContextManager[Effects]]
"""Opens a page for effects; asked only where there are any."""


def mix(
    tool: Ffmpeg, score: Score, samples: int, codec: Codec, folder: Path, *, effects: EffectsPage, strict: bool
) -> tuple[Path, tuple[str, ...]]:
    """The mix, exactly `samples` long, encoded in a file below `folder`, and warnings.

    A file that cannot be decoded raises AudioSourceInvalid where `strict`, else it is a warning and not heard.
    Raises FeatureNotSupported, EncoderInterrupted, StorageFull, BrowserFailed as well.
    """
    with ExitStack() as stack:
        mixer = _Mixer(tool, samples, folder, lambda: stack.enter_context(effects()), strict)
        target = mixer.file(codec.suffix)
        codecs.write(tool, mixer.whole(score), codec, target)
        return target, tuple(mixer.warnings)


class _Mixer:
    def __init__(self, tool: Ffmpeg, samples: int, folder: Path, open_effects: Callable[[], Effects], strict: bool):
        self._tool = tool
        self._samples = samples
        self._folder = folder
        self._open_effects = open_effects
        self._effects: Effects | None = None
        self._strict = strict
        self._files = 0
        self.warnings: list[str] = []

    def whole(self, score: Score) -> Path:
        """Everything, as raw samples."""
        alone: list[Part] = []
        grouped: dict[int, list[Part]] = {number: [] for number in score.groups}
        for voice in score.voices:
            part = self._part(voice)
            if part:
                (alone if voice.group is None else grouped[voice.group]).append(part)
        for number, group in score.groups.items():
            if grouped[number]:
                alone.append(Part(self._processed(group, self._sum(grouped[number])), 0, group.gain))
        return self._processed(score.master, self._sum(alone))

    def file(self, suffix: str) -> Path:
        """A new name in the folder."""
        self._files += 1
        return self._folder / f"{self._files}{suffix}"

    def _part(self, voice: Voice) -> Part | None:
        raw = self.file(".raw")
        where = voice.processing.where
        try:
            complaints = extract(self._tool, voice.stretch, raw)
        except AudioSourceInvalid as error:
            if self._strict:
                raise AudioSourceInvalid(f"{where}: {error.summary}.") from error
            self.warnings.append(f"{where} is not heard: {error.summary}.")
            return None
        heard = raw.stat().st_size // FRAME_BYTES
        if complaints:
            self.warnings.append(f"{where}: its sound has damaged places: {complaints.splitlines()[-1]}")
        if not heard:
            self.warnings.append(f"{where} is not heard: its sound is over {voice.stretch.start:g} s into the file.")
            return None
        fades = Fades.of(voice.fade_in, voice.fade_out, min(heard, voice.stretch.samples))
        return Part(self._processed(voice.processing, raw), voice.start, voice.processing.gain, fades)

    def _processed(self, processing: Processing, raw: Path) -> Path:
        if processing.effects is None:
            return raw
        self._effects = self._effects or self._open_effects()
        target = self.file(".raw")
        self._effects.apply(processing.effects, processing.automation, raw, target, where=processing.where)
        return target

    def _sum(self, parts: list[Part]) -> Path:
        target = self.file(".raw")
        if parts:
            add_up(self._tool, parts, self._samples, target)
        else:
            with target.open("wb") as file:
                file.truncate(self._samples * FRAME_BYTES)
        return target
