"""The command line as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rendering import RESTLESS, Project, page

from flows.prefect_server import PrefectApi
from lambda_handler.toolchain import CHECKOUT

COMMAND = [str(Path(sys.executable).parent / "prefect-hyperframes")]


def _run(*arguments: str | Path, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)


def _render(project: Path, tmp_path: Path, *more: str) -> list[str]:
    return ["render", str(project), "-o", str(tmp_path / "film.mp4"), "--root", str(tmp_path / "root"), *more]


def test_render_tells_where_the_video_is(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Path, size, length, time taken, and where the run is in the UI."""
    done = _run(*_render(project(), tmp_path))
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "film.mp4") in done.stdout
    assert "1 s of 320 × 180 px at 30 frames/s (30 frames)" in done.stdout
    assert server.ui_url in done.stdout


def test_json_is_one_object_and_nothing_else(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Machines read standard output; standard error stays empty."""
    done = _run(*_render(project(), tmp_path, "--json", "--fps", "25"))
    told = json.loads(done.stdout)
    assert (told["frames"], told["fps"], done.stderr) == (25, "25", "")


def test_quiet_prints_nothing(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Not a line, when all is well."""
    done = _run(*_render(project(), tmp_path, "--quiet"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_batch_may_touch_what_the_command_names(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Its rows, its project and where its videos go, wherever they lie."""
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "two.jsonl").write_text("{}\n{}\n")
    asked: list[str | Path] = [
        "--project",
        project(),
        "-o",
        tmp_path / "videos" / "{row}.mp4",
        "--root",
        tmp_path / "root",
    ]
    done = _run("batch", tmp_path / "rows" / "two.jsonl", *asked, "--dry-run", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["state"] for row in json.loads(done.stdout)["rows"]] == ["checked", "checked"]


def test_a_batch_renders_its_rows(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """Two videos of one project, each where the command says."""
    rows = tmp_path / "two.jsonl"
    rows.write_text("{}\n{}\n")
    videos = tmp_path / "{row}.mp4"
    done = _run("batch", rows, "--project", project(), "-o", videos, "--root", tmp_path / "root", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["state"] for row in json.loads(done.stdout)["rows"]] == ["rendered", "rendered"]
    assert (tmp_path / "1.mp4").stat().st_size == (tmp_path / "2.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--fps", "0"], "InvalidConfigError", "fps"),
        (["--crf", "52"], "InvalidConfigError", "crf"),
        (["--crf", "20", "--bitrate", "8M"], "InvalidConfigError", "exclude"),
        (["--format", "avi"], "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED", "format"),
        (["--variables", "{"], "InvalidConfigError", "--variables"),
    ],
)
def test_a_wrong_option_is_told_without_a_traceback(
    options: list[str], code: str, says: str, project: Project, tmp_path: Path
) -> None:
    """The code, what is wrong and what to do, exit status 1, and nothing is started."""
    done = _run(*_render(project(), tmp_path, *options))
    assert done.returncode == 1
    assert code in done.stderr
    assert says in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (tmp_path / "root").exists()


def test_a_project_error_is_told_without_a_traceback(server: PrefectApi, project: Project, tmp_path: Path) -> None:
    """What the worker refuses reads the same as what the command line refuses."""
    done = _run(*_render(project(page("<script>throw new Error('no luck')</script>")), tmp_path))
    assert done.returncode == 1
    assert "PAGE_SCRIPT_FAILED" in done.stderr
    assert "threw: no luck (index.html: new Error('no luck')" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_an_error_as_json_has_code_message_and_resolution(project: Project, tmp_path: Path) -> None:
    """On standard output, as the result would be."""
    done = _run("render", tmp_path / "nowhere", "-o", tmp_path / "film.mp4", "--json")
    assert done.returncode == 1
    assert set(json.loads(done.stdout)["error"]) == {"code", "message", "resolution"}


def test_a_flow_that_was_killed_renders_only_what_is_missing(
    server: PrefectApi, project: Project, tmp_path: Path
) -> None:
    """SIGKILL after the first finished chunk: the next run finds it, and captures the frames of the others only."""
    arguments = _render(
        project(page(RESTLESS, duration="12")), tmp_path, "--chunk-size", "90", "--workers", "1", "--json"
    )
    first = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    chunks = tmp_path / "root" / "renders"
    while not list(chunks.glob("*/chunks/*.mp4")):
        assert first.poll() is None
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    found = len(list(chunks.glob("*/chunks/*.mp4")))
    told = json.loads(_run(*arguments).stdout)
    assert 1 <= found <= told["chunks_found"] < told["chunks"] == 4
    assert told["frames_captured"] == 90 * (4 - told["chunks_found"])


def test_an_interrupted_render_stops_its_workers_and_can_be_resumed(
    server: PrefectApi, project: Project, tmp_path: Path
) -> None:
    """Ctrl-C leaves a cancelled folder and no process behind; the next run finishes the render."""
    arguments = _render(project(page(RESTLESS, duration="12")), tmp_path, "--chunk-size", "180", "--json")
    first = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background has them ignore Ctrl-C, and what they start too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread holds a lock
    )
    folders = tmp_path / "root" / "renders"
    while not list(folders.glob("*/progress/*.json")):
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate()
    assert first.returncode == 130
    assert "Traceback" not in told
    assert list(folders.glob("*/cancel"))
    assert not _commands_about(tmp_path)
    assert json.loads(_run(*arguments).stdout)["frames"] == 360


def _commands_about(folder: Path) -> list[str]:
    """The environments of running processes that name `folder`: workers have it among their roots."""
    named = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if str(folder).encode() in environment.read_bytes():
                named.append(environment.parent.name)
    return named
