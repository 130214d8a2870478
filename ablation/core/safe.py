"""Text that somebody gave, made safe for where it goes: it is shown as it was given, and never obeyed.

A function a medium, and no other file has rules of its own:

terminal        `terminal` for a paragraph, `one_line` for a line or a cell, `message_lines` for an error or a warning;
                `ablation.cli.console` and `ablation.cli.main` apply them to all output
CSV             `csv_text`; `csv_quoted` where a program reads it back (`csv_unquoted`)
Markdown        `markdown_text`, `markdown_code`
LaTeX           `latex_text`
file name       `file_name`
MLflow key      `mlflow_key`
HTML            Jinja2's autoescape (`ablation.report.render.html`), of a text that has been through `visible`
PDF             typst gets texts as JSON, never as markup (`ablation.report.render.pdf`)
pictures, SVG   matplotlib parses no mathematics (`text.parse_math` in `ablation.report.style`) and escapes XML
JSON            `json_text`

Knows no experiment. `ablation.core.text` has words for numbers and names, which these functions take.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from ablation.core.text import plain

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
    "|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    "|[\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e001f]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
"""What controls a terminal, ends a line, is half a character, turns the direction of writing, or is seen as nothing.

The joiners of emoji and of Persian (U+200C, U+200D) are left where they join something.
"""


def visible(text: str) -> str:
    r"""Return a text on one line in which every character is seen: what is not is written as its escape.

    >>> visible("crop\x1b[2J"), visible("two\nlines"), visible("crop")
    ('crop\\x1b[2J', 'two\\nlines', 'crop')
    """
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte of a file's name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def terminal(text: str) -> str:
    r"""Return a text that a terminal can only show: its lines stay, tabs are spaces, all else unseen is an escape.

    >>> terminal("\x1b]0;title\x07\n\tnext")
    '\\x1b]0;title\\x07\n    next'
    """
    if not _UNSEEN.search(text):
        return text
    return "\n".join(map(visible, plain(text).replace("\r\n", "\n").expandtabs(4).split("\n")))


def one_line(text: str) -> str:
    r"""Return the same on one line: a line break or a tab is a space, as it is to whoever reads a name.

    >>> one_line("crop\nerror: all is lost"), one_line("\x9b31mred")
    ('crop error: all is lost', '\\x9b31mred')
    """
    return terminal(re.sub(r"[ \t]*[\t\r\n]+[ \t]*", " ", text))


def message_lines(text: str) -> str:
    r"""Return a message for a terminal; its further lines are set in, so that none looks like a message of its own.

    >>> message_lines("it broke\nerror: all is lost")
    'it broke\n  error: all is lost'
    """
    return terminal(text).replace("\n", "\n  ")


def json_text(item: object, indent: int | None = None) -> str:
    """Return an item as JSON that a terminal may show: letters as they are, whatever is not seen as its escape.

    Raises ValueError for a number that is not finite.

    >>> json_text({"recipe": "caf" + chr(233) + chr(155)})
    '{"recipe": "café\\\\u009b"}'
    """
    text = json.dumps(item, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNSEEN.sub(lambda found: found[0] if found[0] == "\n" else json.dumps(found[0])[1:-1], text)


def file_name(text: str) -> str:
    """Return a name for a file or a folder on any system, as like the text as may be.

    Whatever parts folders, is not seen, or has a meaning in a shell's pattern becomes '_', and so do dots and blanks at
    the ends. It is never empty, and takes at most 200 bytes.

    >>> file_name("../up"), file_name("cats 12"), file_name("."), file_name("a:b" + chr(27))
    ('_up', 'cats 12', '_', 'a_b_x1b')
    """
    name = re.sub(r'[\\/:*?"<>|]+', "_", visible(text)).encode()[:200].decode(errors="ignore")
    return re.sub(r"^[. ]+_?|[. ]+$", "_", name) or "_"


@lru_cache(maxsize=1024)
def mlflow_key(name: str) -> str:
    """A name that MLflow takes as a key: whatever is no letter, digit, '_', '-', '.' or space becomes '_'.

    A slash stays between two words, where MLflow takes it for the end of a section's name.

    >>> mlflow_key("test/top 5 (%)"), mlflow_key("../up")
    ('test/top 5 ___', '_/up')
    """
    parts = (re.sub(r"[^\w. -]|^\.+", "_", part) for part in name[:250].split("/"))
    return "/".join(filter(None, parts)) or "_"


_GREEK = {
    "alpha": 0x3B1, "beta": 0x3B2, "gamma": 0x3B3, "delta": 0x3B4, "varepsilon": 0x3B5, "eta": 0x3B7, "theta": 0x3B8,
    "kappa": 0x3BA, "lambda": 0x3BB, "mu": 0x3BC, "nu": 0x3BD, "pi": 0x3C0, "rho": 0x3C1, "sigma": 0x3C3, "tau": 0x3C4,
    "varphi": 0x3C6, "chi": 0x3C7, "psi": 0x3C8, "omega": 0x3C9, "Gamma": 0x393, "Delta": 0x394, "Theta": 0x398,
    "Lambda": 0x39B, "Pi": 0x3A0, "Sigma": 0x3A3, "Phi": 0x3A6, "Psi": 0x3A8, "Omega": 0x3A9,
}  # fmt: skip
_MATH = {
    "<": "<", ">": ">", "|": "|", "\N{MINUS SIGN}": "-", "±": r"\pm", "×": r"\times", "÷": r"\div", "·": r"\cdot",
    "≈": r"\approx", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "→": r"\rightarrow", "←": r"\leftarrow",
    "↔": r"\leftrightarrow", "∞": r"\infty", "√": r"\surd", "∈": r"\in", "°": r"^\circ", "µ": r"\mu", "‖": r"\|",
    "¬": r"\neg", "¹": "^1", "²": "^2", "³": "^3",
    **{chr(code): rf"\{name}" for name, code in _GREEK.items()},
}  # fmt: skip
"""Signs that LaTeX has in math mode only."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", '"': "''", "`": r"\`{}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # after the end of a row, tabular takes [ and * for its own
    "“": "``", "”": "''", "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{EN DASH}": "--", "—": "---", "…": r"\ldots{}", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}",
    **{sign: f"${command}$" for sign, command in _MATH.items()},
}  # fmt: skip
_NOT_IN_OT1 = set("«»¦¨´¸ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ¤")  # noqa: RUF001
"""Of Latin-1 and Latin Extended-A, what LaTeX's own encoding has no command for."""


_FORMULAS = ("=", "+", "-", "@", *"\uff1d\uff0b\uff0d\uff20")
"""With what a formula may begin, also in the full width of East Asian scripts."""
_INNER_FORMULA = re.compile(rf"(;\s*)(?=[{re.escape(''.join(_FORMULAS))}])")


def latex_text(text: str) -> str:
    r"""The text for LaTeX's text mode, with nothing loaded: it compiles whatever it holds.

    A sign that pdflatex does not know (Chinese, emoji) is written as U+4E2D there, as itself by XeLaTeX and LuaLaTeX.
    """
    shown = "".join(map(_latex_sign, re.sub("-(?=-)", "-\0", _printed(text))))
    return shown.replace("\0", "{}").replace(r" \%", r"\,\%")


def _latex_sign(sign: str) -> str:
    if sign in _LATEX:
        return _LATEX[sign]
    if sign < "\N{DELETE}" or ("\u00a1" <= sign <= "\u017f" and sign not in _NOT_IN_OT1):
        return sign
    return rf"\ifdefined\Umathchar {sign}\else U+{ord(sign):04X}\fi{{}}"


def csv_text(text: str) -> str:
    """The text for a cell of a CSV file, on one line; where a formula would begin stands an apostrophe before it.

    So does it behind a semicolon, which parts cells in many countries. A number is left as it is, whatever its sign.

    >>> csv_text("=cmd()"), csv_text("-0.3"), csv_text("crop"), csv_text("a;=cmd()")
    ("'=cmd()", '-0.3', 'crop', "a;'=cmd()")
    """
    text = _INNER_FORMULA.sub(r"\1'", one_line(text))
    formula = text.lstrip()[:1] in _FORMULAS and not _is_number(text)
    return f"'{text}" if formula else text


def csv_quoted(text: str) -> str:
    """The text for a cell that `csv_unquoted` reads back: an apostrophe before a formula, or before another one.

    >>> csv_quoted("=cmd()"), csv_quoted("'=cmd()"), csv_quoted("crop/1.png")
    ("'=cmd()", "''=cmd()", 'crop/1.png')
    """
    formula = text.lstrip()[:1] in ("'", *_FORMULAS) and not _is_number(text)
    return f"'{text}" if formula else text


def csv_unquoted(text: str) -> str:
    """The text that `csv_quoted` made the cell of.

    >>> csv_unquoted(csv_quoted("'=cmd()"))
    "'=cmd()"
    """
    return text.removeprefix("'")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*%?\s*", text) is not None


def markdown_text(text: str) -> str:
    """The text for a table or a paragraph of GitHub's Markdown: no markup, no block, no link of its own accord.

    >>> markdown_text("<script> *b* [x](y)"), markdown_text("# 1. www.a.b")
    ('\\\\<script\\\\> \\\\*b\\\\* \\\\[x\\\\](y)', '\\\\# 1. www&#46;a.b')
    """
    shown = re.sub(r"([\\`*_\[\]>|~])|(<)(?=[A-Za-z/!?])", r"\\\1\2", _printed(text))
    shown = re.sub(r"^(#{1,6}|[-+])(?= |$)|^(?=(?:-+|=+)$)", r"\\\g<0>", shown)
    shown = re.sub(r"^(\d{1,9})([.)])(?= |$)", r"\1\\\2", shown.replace("&", "&amp;").replace("$", "&#36;"))
    return re.sub(r"(?i)\b(www)\.", r"\1&#46;", shown.replace("://", "&#58;//"))


def markdown_code(text: object) -> str:
    """The text as code in Markdown, on one line, whatever it holds.

    >>> markdown_code("a`b"), markdown_code("<b>")
    ('`` a`b ``', '`<b>`')
    """
    shown = one_line(" ".join(str(text).split()))
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}{shown}{fence}" if len(fence) == 1 else f"{fence} {shown} {fence}"


def _printed(text: str) -> str:
    """The text on one line without what is not printed, which may have stood before or after a space."""
    return " ".join("".join(sign for sign in plain(text) if sign.isprintable() or sign.isspace()).split())
