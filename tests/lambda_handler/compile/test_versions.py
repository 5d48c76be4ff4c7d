"""Version ranges, as CDN URLs write them."""

from __future__ import annotations

import pytest

from lambda_handler.compile.versions import newest_satisfying

INSTALLED = ["3.12.2", "3.12.7", "3.14.2", "3.15.0", "4.0.2", "0.160.0", "0.184.0", "5.0.0-beta.1"]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("", "4.0.2"),
        ("latest", "4.0.2"),
        ("3", "3.15.0"),
        ("3.12", "3.12.7"),
        ("3.x", "3.15.0"),
        ("3.12.2", "3.12.2"),
        ("^3.12.5", "3.15.0"),
        ("~3.12.5", "3.12.7"),
        ("^0.160.0", "0.160.0"),
        ("0.184", "0.184.0"),
        ("3.11.0", None),
        ("^3.15.1", None),
        ("~3.13.0", None),
        ("next", None),
        (">=3", None),
        ("5", None),
    ],
)
def test_a_range_gets_the_newest_version_it_allows(wanted: str, chosen: str | None) -> None:
    """What is not understood, or not there, gets nothing."""
    assert newest_satisfying(INSTALLED, wanted) == chosen
