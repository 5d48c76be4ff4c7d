"""What was measured, as a table: a line for each composition, and the ratios over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median

from benchmarks.measure import Cost

MIB = 1024**2


@dataclass(frozen=True)
class Sample:
    """One render: what it cost, its frames, the video's bytes, and its SSIM to a lossless capture."""

    cost: Cost
    frames: int
    size: int
    ssim: float


@dataclass(frozen=True)
class Line:
    """One composition's renders; `still`: most of its frames are the ones before them."""

    name: str
    still: bool
    ours: tuple[Sample, ...]
    theirs: tuple[Sample, ...]

    @property
    def cpu(self) -> tuple[float, float]:
        """CPU milliseconds a frame, ours and theirs; of all rounds the least."""
        ours, theirs = (min(1000 * each.cost.cpu / each.frames for each in of) for of in (self.ours, self.theirs))
        return ours, theirs

    @property
    def wall(self) -> tuple[float, float]:
        """Seconds, ours and theirs; of all rounds the least."""
        ours, theirs = (min(each.cost.wall for each in of) for of in (self.ours, self.theirs))
        return ours, theirs


HEAD = (
    "| composition | frames | CPU ms/frame | × | wall s | × | memory MiB | size kB | SSIM |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def tabled(lines: Sequence[Line]) -> str:
    """The table in Markdown; where two numbers stand, ours is the first. Under it the ratios' spread."""
    return "\n".join((HEAD, *map(_row, lines), "", *_ratios(lines)))


def _row(line: Line) -> str:
    (cpu, their_cpu), (wall, their_wall) = line.cpu, line.wall
    memory, their_memory = (max(each.cost.memory for each in of) / MIB for of in (line.ours, line.theirs))
    ours, theirs = line.ours[-1], line.theirs[-1]
    return (
        f"| {line.name} | {ours.frames} | {cpu:.0f} / {their_cpu:.0f} | {cpu / their_cpu:.2f} "
        f"| {wall:.1f} / {their_wall:.1f} | {wall / their_wall:.2f} | {memory:.0f} / {their_memory:.0f} "
        f"| {ours.size / 1000:.0f} / {theirs.size / 1000:.0f} | {ours.ssim:.4f} / {theirs.ssim:.4f} |"
    )


def _ratios(lines: Sequence[Line]) -> list[str]:
    told = ["| ours / theirs | min | median | max | geometric mean |", "|---|---|---|---|---|"]
    for name, ratios in {
        "CPU a frame": [line.cpu[0] / line.cpu[1] for line in lines],
        "CPU a frame, mostly still": [line.cpu[0] / line.cpu[1] for line in lines if line.still],
        "wall": [line.wall[0] / line.wall[1] for line in lines],
        "size": [line.ours[-1].size / line.theirs[-1].size for line in lines],
    }.items():
        if ratios:
            spread = " | ".join(f"{value:.2f}" for value in (min(ratios), median(ratios), max(ratios)))
            told.append(f"| {name} | {spread} | {geometric_mean(ratios):.2f} |")
    return told
