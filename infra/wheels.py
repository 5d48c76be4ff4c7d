"""Installing what the worker needs, and nothing else, for another Python: out of requirements.lock, by hash."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

# What Amazon Linux 2023 (glibc 2.34) runs, as pip wants it spelt.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_24_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)\s*(?:;\s*(?P<marker>.*?))?\s*\\?$")


@dataclass(frozen=True)
class Pin:
    """One release in the lock: who wants it, where it applies (a marker, or empty), the sha256 of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: frozenset[str]

    def applies(self, python: str) -> bool:
        """Whether it is for that Python ("3.13") on Linux."""
        environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
        environment |= {"platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
        environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
        return not self.marker or Marker(self.marker).evaluate(environment)

    @property
    def requirement(self) -> str:
        """The line pip reads."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in self.hashes)])


def pins(lock: str) -> Iterator[Pin]:
    """Every release in the text of a requirements.lock."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock)
    for block in blocks:
        head, *rest = block.splitlines()
        match = _PIN.match(head)
        if match is None:
            raise ValueError(f"requirements.lock: cannot read {head!r}")
        hashes = tuple(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
        told = [line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in rest if "#" in line]
        wanted = frozenset(canonicalize_name(name.partition(" ")[0].partition("[")[0]) for name in told if name)
        yield Pin(canonicalize_name(match["name"]), match["version"], match["marker"] or "", hashes, wanted)


def closure(lock: str, roots: Iterable[str], python: str) -> list[Pin]:
    """The releases that `roots` need on that Python, themselves included, by name."""
    known = {pin.name: pin for pin in pins(lock) if pin.applies(python)}
    chosen: set[str] = {canonicalize_name(root) for root in roots}
    if missing := chosen - known.keys():
        raise ValueError(f"requirements.lock has no {', '.join(sorted(missing))} for Python {python}")
    while more := {pin.name for pin in known.values() if pin.wanted_by & chosen}.difference(chosen):
        chosen |= more
    return [known[name] for name in sorted(chosen)]


def install(lock: Path, roots: Iterable[str], python: str, target: Path) -> list[Pin]:
    """Puts the closure of `roots` into the folder `target`; returns what it is."""
    needed = closure(lock.read_text(), roots, python)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(pin.requirement for pin in needed))
        wanted.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--no-compile", "--implementation=cp"]
        command += [f"--python-version={python}", *(f"--platform={each}" for each in PLATFORMS)]
        subprocess.run([*command, f"--target={target}", "-r", wanted.name], check=True)
    return needed
