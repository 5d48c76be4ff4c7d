"""Keeps a mounted composition's scripts inside it.

Each script runs in a function of its own whose `document`, `gsap` and `window` reach only what is mounted;
`script_scope.js`, beside this file, makes those. What one script throws does not stop the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

SCOPE_RUNTIME_PATH = Path(__file__).with_suffix(".js")

FAILURE_LABEL = "[HyperFrames] composition script failed:"
"""What the console message about a script that threw starts with; the composition's runtime id follows."""

CLASSIC_TYPES = frozenset(
    {
        "",
        "text/javascript",
        "application/javascript",
        "text/ecmascript",
        "application/ecmascript",
        "application/x-javascript",
        "text/jscript",
    }
)

_SCOPED_NAMES = ("document", "gsap", "window", "__timelines", "__hyperframes")


@dataclass(frozen=True)
class ScriptScope:
    """Which composition a script belongs to.

    `authored_ids` are the ids its author may have written; `replaced_id` the one its host had, where
    the runtime id took that one's place; `root_id` the DOM id of its root element, if that had one.
    """

    runtime_id: str
    authored_ids: tuple[str, ...]
    replaced_id: str | None = None
    root_id: str | None = None


def scope_runtime() -> str:
    """The script that must run once before any wrapped one."""
    return SCOPE_RUNTIME_PATH.read_text(encoding="utf-8")


def wrap_script(source: str, scope: ScriptScope) -> str:
    """`source` as a script that runs within `scope`."""
    # The inner function lets a script declare the shadowed names itself: `const gsap = window.gsap`.
    return (
        f"window.__hfRunScoped({_identity(scope)}, function "
        "(document, gsap, window, self, globalThis, __timelines, __hyperframes) {\n"
        f"(function () {{\n{source}\n}}).call(this);\n"
        "});"
    )


def wrap_module(source: str, scope: ScriptScope) -> str:
    """`source` as a module within `scope`; a name that it declares or imports stays its own."""
    names = [name for name in _SCOPED_NAMES if not _declares(source, name)]
    return f"const {{ {', '.join(names)} }} = globalThis.__hfScopeFor({_identity(scope)});\n{source}"


def is_classic(script_type: str | None) -> bool:
    """Whether a browser runs a script of this `type` as plain JavaScript."""
    return (script_type or "").strip().lower() in CLASSIC_TYPES


def is_module(script_type: str | None) -> bool:
    """Whether a browser runs a script of this `type` as a module."""
    return (script_type or "").strip().lower() == "module"


def json_in_script(value: object) -> str:
    """`value` as JavaScript that may stand in a `<script>`: JSON without the `<` that could end it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _identity(scope: ScriptScope) -> str:
    return json_in_script(
        {
            "runtimeId": scope.runtime_id,
            "authoredIds": list(scope.authored_ids),
            "replacedId": scope.replaced_id,
            "rootId": scope.root_id,
        }
    )


def _declares(source: str, name: str) -> bool:
    """Whether the module declares `name` at its top; one taken for another costs only the scoping of it."""
    keyword = rf"^\s*(?:export\s+)?(?:const|let|var|class|function)\b[^=;(]*\b{name}\b"
    imported = rf"^\s*import\b[^;'\"]*\b{name}\b[^;'\"]*\bfrom\b"
    return re.search(f"{keyword}|{imported}", source, re.MULTILINE) is not None
