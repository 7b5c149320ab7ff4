"""Shows docstring lines of the form `name: text` as a list in the reference.

Consecutive lines of a docstring are one paragraph to Markdown, so a list of options would run together.
"""

import re
from typing import Any

import griffe

_FIELD = re.compile(r"^(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*): (?P<text>\S.*)$")


def as_list(text: str) -> str:
    """The docstring `text` with each field as an item; lines that belong to it, indented by four, stay with it."""
    lines: list[str] = []
    within = False
    for line in text.splitlines():
        if field := _FIELD.match(line):
            lines += [] if within else [""]
            lines.append(f"- `{field['names']}`: {field['text']}")
            within = True
        else:
            within = within and line.startswith("    ")
            lines.append(line)
    return "\n".join(lines)


class FieldLists(griffe.Extension):
    """Rewrites every docstring when it is read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = as_list(obj.docstring.value)
