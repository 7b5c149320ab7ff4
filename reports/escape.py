"""Makes text safe to show, one function a format: a name out of a record is shown as text, whatever stands in it.

HTML is escaped by Jinja (`autoescape`), pictures draw names without mathematics (`text.parse_math`); for both `visible`
goes before.
"""

import re
import unicodedata

_ASCII = {
    "±": "+-", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "≡": "==", "≈": "~", "≠": "!=", "≤": "<=", "✓": "+", "✗": "x",
    "\N{MULTIPLICATION SIGN}": "x", "·": "|", "…": "...", "─": "-", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, marks of direction, surrogates, unassigned
_TEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "\N{MINUS SIGN}": "$-$",
        "≡": r"$\equiv$", "≈": r"$\approx$", "≠": r"$\neq$", "≤": r"$\leq$", "\N{EN DASH}": "--",
        "✓": r"$\surd$", "✗": r"$\times$", "\N{MULTIPLICATION SIGN}": r"$\times$",
        "<": "$<$", "…": r"\dots{}", "[": "{[}", "]": "{]}"}  # fmt: skip
_MARKUP = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word marks nothing
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str) -> str:
    r"""Text whose invisible characters are written out: line breaks (as `\n`), escape sequences, marks of direction."""
    if text.isprintable():
        return text
    return "".join(_written_out(one) if unicodedata.category(one) in _INVISIBLE else one for one in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def terminal(text: str, encoding: str) -> str:
    """Text that a terminal of this encoding can show; signs that it lacks have a spelling in ASCII, the rest is `?`."""
    shown = visible(text)
    if _encodes(shown, encoding):
        return shown
    return "".join(one if _encodes(one, encoding) else _ASCII.get(one, "?") for one in shown)


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def markdown(text: str) -> str:
    """Text inside a line of Markdown: no emphasis, no link, no HTML, no further cell of a table."""
    plain = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(lambda sign: f"\\{sign[0]}", plain)


def csv(value: object) -> object:
    """A cell of a CSV file, which a spreadsheet does not take for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def latex(text: str) -> str:
    """Text inside a paragraph or a table of LaTeX."""
    return "".join(_TEX.get(character, character) for character in visible(text))
