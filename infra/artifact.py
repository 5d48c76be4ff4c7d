"""Builds the function: `build/function/` and, of the same files, `build/function.zip`.

    python -m infra.artifact                 for AWS
    python -m infra.artifact --local         for the Lambda stand-in on this machine
    python -m infra.artifact --twice         for AWS, from scratch both times: the same bytes, within the limits

The same inputs give the same bytes: files sorted, times fixed, releases pinned by hash. What goes in is decided by
`infra/artifact.toml`; a build beyond the limits there fails after it has said what is in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from infra.wheels import install
from lambda_handler import packed, toolchain
from lambda_handler.toolchain import CHECKOUT
from lambda_handler.unpack import LIST as UNPACKED_LIST

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CONTENTS = CHECKOUT / "infra" / "artifact.toml"
BUILD = CHECKOUT / "build"
FUNCTION = "function"
PYTHON = "3.13"
CHROME_SOURCES = ("sparticuz", "chrome-headless-shell")
MIB = 1024**2
# Level 19 packs Chromium, its libraries and fonts to 87 MiB, level 15 to 94 in a third of the time; level 22 saves no
# more. Each is packed once and kept in the cache. Brotli, as the browser comes from npm, saves another 13 %, but takes
# twice the processor time to unpack, at every cold start.
LEVEL = 19
LOCAL_LEVEL = 3
WINDOW_BITS = 27  # the most that a decompressor takes unasked: 128 MiB
EPOCH = (1980, 1, 1, 0, 0, 0)


class TooLarge(Exception):
    """The artifact is beyond the limits in artifact.toml."""


@dataclass(frozen=True)
class Row:
    """A line of the table: what, and its bytes unzipped and zipped."""

    name: str
    unzipped: int
    zipped: int


def build(
    output: Path,
    *,
    python: str = PYTHON,
    chrome_source: str = toolchain.CHROME_SOURCE,
    chrome_folder: Path | None = None,
    level: int = LEVEL,
) -> list[Row]:
    """Builds the artifact below `output`; returns what is in it."""
    contents = tomllib.loads(CONTENTS.read_text())
    stage = output / FUNCTION
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=output, prefix="building-") as scratch:
        wheels = Path(scratch) / "wheels"
        install(CHECKOUT / "requirements.lock", contents["python"]["roots"], python, wheels)
        tools = {
            "chromium": browser_files(chrome_source, chrome_folder),
            "ffmpeg": {"ffmpeg": next((wheels / "imageio_ffmpeg/binaries").glob("ffmpeg-linux-x86_64-*"))},
            "node_modules": dict(page_files(toolchain.node_modules(), contents["page"])),
        }
        _pack(tools, stage / packed.FOLDER, output / "cache", python, chrome_source, level)
        for name, file in _kept(wheels, ["*"], contents["python"]["drop"]):
            _copy(file, stage / name)
    for name, file in _kept(CHECKOUT / "lambda_handler", ["*.py", "*.js"], []):
        _copy(file, stage / "lambda_handler" / name)
    for name in ("LICENSE", "NOTICE"):
        _copy(CHECKOUT / name, stage / name)
    for name, file in licences(contents["licences"]):
        _copy(file, stage / "licences" / name)
    _write_metadata(stage)
    return _zip(stage, output / "function.zip")


def check_size(rows: list[Row], limits: Mapping[str, int]) -> None:
    """Raises TooLarge beyond the limits (MiB)."""
    for what, size in (("unzipped", sum(row.unzipped for row in rows)), ("zipped", sum(row.zipped for row in rows))):
        if size > limits[f"{what}_mib"] * MIB:
            raise TooLarge(
                f"The artifact is {size / MIB:.1f} MiB {what}, and {limits[f'{what}_mib']} MiB is the limit. "
                "Drop something in infra/artifact.toml."
            )


def page_files(node_modules: Path, rules: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """What a page can be served of the installed packages: path in node_modules, file."""
    for package in sorted(_packages(node_modules, rules["modules"])):
        keep = rules["only"].get(package, rules["keep"])
        drop = [*rules["drop"], *rules["without"].get(package, [])]
        for name, file in _kept(node_modules / package, keep, drop):
            yield f"{package}/{name}", file


def _packages(node_modules: Path, modules: Iterable[str]) -> set[str]:
    def wanted(package: Path) -> list[str]:
        return list(json.loads((package / "package.json").read_text()).get("dependencies", {}))

    packages = set(wanted(CHECKOUT))
    following = list(modules)
    while following:
        for dependency in wanted(node_modules / following.pop()):
            if dependency not in packages and (node_modules / dependency).is_dir():
                packages.add(dependency)
                following.append(dependency)
    return packages


def licences(rules: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, Path]]:
    """The licences that no package in the artifact brings along: name, file."""
    for file in sorted((CHECKOUT / "infra" / "licences").iterdir()):
        yield file.name, file
    for name in rules["distributions"]:
        for each in distribution(name).files or ():
            if each.parent.name == "licenses":
                yield f"{name}.txt", Path(str(each.locate()))
    for name in rules["modules"]:
        yield f"{name.lstrip('@').replace('/', '-')}.txt", toolchain.node_modules() / name / "LICENSE"


def _kept(folder: Path, keep: Iterable[str], drop: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if (
            file.is_file()
            and "__pycache__" not in file.parts
            and any(fnmatch(name, each) for each in keep)
            and not any(fnmatch(name, each) for each in drop)
        ):
            yield name, file


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def browser_files(source: str, folder: Path | None) -> dict[str, Path]:
    """The browser's files; of the pinned pack, or of a folder with a chrome-headless-shell in it."""
    pack = toolchain.chromium().executable.parent
    names = json.loads((pack / UNPACKED_LIST).read_text())
    files = {name: pack / name for name in names}
    if source == "sparticuz":
        return files
    if folder is None or not (folder / "chrome-headless-shell").is_file():
        raise SystemExit(
            "CHROME_SOURCE=chrome-headless-shell needs CHROME_FOLDER, a folder with the executable "
            "chrome-headless-shell in it (npx @puppeteer/browsers install chrome-headless-shell)."
        )
    # Amazon Linux lacks the libraries that any Chromium needs, and the fonts keep the pixels the same.
    shared = {name: file for name, file in files.items() if name.startswith(("lib/", "fonts/"))}
    own = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    own["chromium"] = own.pop("chrome-headless-shell")
    return shared | own


def _pack(
    tools: Mapping[str, Mapping[str, Path]], folder: Path, cache: Path, python: str, source: str, level: int
) -> None:
    folder.mkdir()
    cache.mkdir(exist_ok=True)
    told: dict[str, Any] = {"chromeSource": source, "python": python, "tools": {}}
    for name, files in tools.items():
        digests = {inside: toolchain.sha256_of(file) for inside, file in sorted(files.items())}
        executables = [inside for inside in ("chromium", "ffmpeg") if inside in files]
        content = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
        pack = cache / f"{name}-{content[:16]}-{level}.tar.zst"
        if not pack.is_file():
            write_pack(files, pack, level, far=name == "node_modules")
        shutil.copyfile(pack, folder / f"{name}.tar.zst")
        told["tools"][name] = {"sha256": content, "executables": executables}
        if name == "chromium":
            # Of the pinned pack, what a checkout knows it by: so both make and read the same plans.
            told["chromiumIdentity"] = toolchain.chromium().identity if source == "sparticuz" else digests["chromium"]
    (folder / packed.LIST).write_text(json.dumps(told, indent=1, sort_keys=True))


def write_pack(files: Mapping[str, Path], pack: Path, level: int, *, far: bool) -> None:
    """Writes the files, by their names in it, into the archive `pack`.

    `far` finds what repeats at a distance, as in several releases of a package.
    """
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.window_log: WINDOW_BITS,
        zstd.CompressionParameter.enable_long_distance_matching: int(far),
        zstd.CompressionParameter.checksum_flag: 1,
    }
    partial = pack.with_suffix(".partial")
    # By what they are called first: releases of one package then lie side by side, and pack as one.
    order = sorted(files, key=lambda name: (name.rpartition("/")[2], name))
    with zstd.open(partial, "wb", options=options) as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
        for name in order:
            member = tarfile.TarInfo(name)
            member.size = files[name].stat().st_size
            with files[name].open("rb") as file:
                tar.addfile(member, file)
    partial.replace(pack)


def _write_metadata(stage: Path) -> None:
    """The worker asks for its own version."""
    metadata = stage / f"prefect_hyperframes-{version('prefect-hyperframes')}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(
        f"Metadata-Version: 2.1\nName: prefect-hyperframes\nVersion: {version('prefect-hyperframes')}\n"
    )


def _zip(stage: Path, target: Path) -> list[Row]:
    unzipped: Counter[str] = Counter()
    zipped: Counter[str] = Counter()
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(stage.rglob("*")):
            if not file.is_file():
                continue
            name = file.relative_to(stage).as_posix()
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix: the mode counts
            # Whatever the builder's umask is: the same archive, and one that the function's user can read.
            mode = 0o755 if file.stat().st_mode & 0o111 else 0o644
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".zst") else zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes(), compresslevel=9)
            what = name.removesuffix(".tar.zst") if name.startswith(f"{packed.FOLDER}/") else name.partition("/")[0]
            unzipped[what] += info.file_size
            zipped[what] += info.compress_size
    return [Row(name, size, zipped[name]) for name, size in unzipped.most_common()]


def table(rows: list[Row]) -> str:
    """What is in the artifact, largest first, in MiB."""
    large = [row for row in rows if row.unzipped >= MIB // 2]
    small = [row for row in rows if row.unzipped < MIB // 2]
    rest = Row(f"{len(small)} others", sum(r.unzipped for r in small), sum(r.zipped for r in small))
    total = Row("all", sum(row.unzipped for row in rows), sum(row.zipped for row in rows))
    lines = [f"{'in the artifact':34} {'unzipped':>9} {'zipped':>9}  MiB"]
    lines += [f"{r.name:34} {r.unzipped / MIB:9.1f} {r.zipped / MIB:9.1f}" for r in (*large, rest, total)]
    return "\n".join(lines)


def main() -> None:
    """Builds, and prints the table and the sha256."""
    parser = argparse.ArgumentParser(prog="python -m infra.artifact", description="Builds the Lambda function.")
    parser.add_argument("--chrome-source", choices=CHROME_SOURCES, default="sparticuz")
    parser.add_argument("--chrome-folder", type=Path, help="where chrome-headless-shell is, for that source")
    parser.add_argument("--python", default=PYTHON, help="the function's Python; 3.13")
    parser.add_argument("--level", type=int, default=LEVEL, help=f"of compression; {LEVEL}")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder to build into; build")
    parser.add_argument("--local", action="store_true", help="for this Python, packed fast, into build/local; any size")
    parser.add_argument("--twice", action="store_true", help="build two of them without a cache, and compare")
    asked = parser.parse_args()
    if asked.local:
        asked.python, asked.level = f"{sys.version_info[0]}.{sys.version_info[1]}", LOCAL_LEVEL
        asked.output /= "local"
    made = set()
    for output in [asked.output / "once", asked.output / "again"] if asked.twice else [asked.output]:
        if asked.twice:
            shutil.rmtree(output, ignore_errors=True)
        rows = build(
            output,
            python=asked.python,
            chrome_source=asked.chrome_source,
            chrome_folder=asked.chrome_folder,
            level=asked.level,
        )
        archive = output / "function.zip"
        made.add(toolchain.sha256_of(archive))
        print(f"{archive}  sha256 {toolchain.sha256_of(archive)}")
    print(table(rows))
    if len(made) > 1:
        raise SystemExit(
            f"Two builds of the same files gave other bytes: compare {asked.output / 'once' / FUNCTION} with "
            f"{asked.output / 'again' / FUNCTION} (diff -rq). What differs has a time, an order or a path in it: "
            "mend what writes it."
        )
    if not asked.local:
        try:
            check_size(rows, tomllib.loads(CONTENTS.read_text())["limits"])
        except TooLarge as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
