"""Text that somebody gave, so that LaTeX, Markdown and a spreadsheet show it literally. Knows no experiment."""

from __future__ import annotations

import re

from ablation.core.text import plain

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


def latex_text(text: str) -> str:
    r"""The text for LaTeX's text mode, with nothing loaded: it compiles whatever it holds.

    A sign that pdflatex does not know (Chinese, emoji) is written as U+4E2D there, as itself by XeLaTeX and LuaLaTeX.
    """
    shown = "".join(map(_latex_sign, re.sub("-(?=-)", "-\0", _one_line(text))))
    return shown.replace("\0", "{}").replace(r" \%", r"\,\%")


def _latex_sign(sign: str) -> str:
    if sign in _LATEX:
        return _LATEX[sign]
    if sign < "\N{DELETE}" or ("\u00a1" <= sign <= "\u017f" and sign not in _NOT_IN_OT1):
        return sign
    return rf"\ifdefined\Umathchar {sign}\else U+{ord(sign):04X}\fi{{}}"


def csv_text(text: str) -> str:
    """The text for a cell of a CSV file; what a spreadsheet would take for a formula begins with an apostrophe.

    A number is left as it is, whatever its sign.

    >>> csv_text("=cmd()"), csv_text("-0.3"), csv_text("crop")
    ("'=cmd()", '-0.3', 'crop')
    """
    formula = text.lstrip()[:1] in _FORMULAS and not _is_number(text)
    return f"'{text}" if formula else text


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*%?\s*", text) is not None


def markdown_text(text: str) -> str:
    """The text for a table or a paragraph of GitHub's Markdown."""
    shown = re.sub(r"([\\`*_\[\]>|~])|(<)(?=[A-Za-z/!?])", r"\\\1\2", _one_line(text))
    return shown.replace("&", "&amp;").replace("$", "&#36;")


def _one_line(text: str) -> str:
    return "".join(sign for sign in " ".join(plain(text).split()) if sign.isprintable())
