"""Text in LaTeX and Markdown: it is shown as it was given, and never obeyed."""

import shutil
import subprocess

import pytest
from markdown_it import MarkdownIt

from ablation.core.safe import latex_text, markdown_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 1.5 (and) more", "plain words, 1.5 (and) more"),
        ("50 % & #1_a $x$", r"50\,\% \& \#1\_a \$x\$"),
        ("{a}", r"\{a\}"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("<b> | c", "$<$b$>$ $|$ c"),
        ("\N{MINUS SIGN}1.5 ± 2", r"$-$1.5 $\pm$ 2"),
        ("λ ≈ 3 × σ", r"$\lambda$ $\approx$ 3 $\times$ $\sigma$"),
        ("no--crop---", "no-{}-crop-{}-{}-"),
        ("[a] *b", "{[}a{]} {*}b"),
        ('"a" `b`', r"''a'' \`{}b\`{}"),
        ("two\n  lines\t%", r"two lines\,\%"),
        ("café ß", "café ß"),
        ("\x00\u200bbell\x07", "bell"),
        ("中", r"\ifdefined\Umathchar 中\else U+4E2D\fi{}"),
        ("ę", r"\ifdefined\Umathchar ę\else U+0119\fi{}"),
    ],
)
def test_latex(text, shown):
    assert latex_text(text) == shown


SIGNS = [chr(code) for code in [*range(0x250), *range(0x370, 0x400), *range(0x2000, 0x2300), 0x4E2D, 0x1F600]]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed: no text was compiled")
def test_latex_compiles_whatever_it_holds(tmp_path):
    """By itself, in bold, at the start of a row, and in a caption, which is written to a file and read again."""
    lines = [r"\documentclass{article}", r"\begin{document}", r"\listoftables"]
    for first in range(0, len(SIGNS), 100):
        sentence = [latex_text(sign) for sign in SIGNS[first : first + 100]]
        lines += [r"\begin{table}", rf"\caption{{{' '.join(sentence)}}}", r"\end{table}", r"\begin{tabular}{ll}"]
        lines += [*(rf"{text} & \textbf{{{text}}} \\" for text in sentence), r"\end{tabular}", r"\clearpage"]
    lines += [r"\end{document}"]
    (tmp_path / "page.tex").write_text("\n".join(lines), "utf-8")
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
        made = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace")
        assert made.returncode == 0, made.stdout[-2000:]


@pytest.mark.parametrize(
    "text",
    [
        "plain", "a_b_c *d* **e** ~~f~~", "`code`", "[link](x) ![image](y)", "<b>bold</b>", "a < b > c", "x | y",
        "\\ \\* \\n", "&amp; &lt; &", "$x^2$", "https://a.b <mailto:a@b.c>", "<!-- -->", "café 中 😀 \N{MINUS SIGN}1",
    ],
)  # fmt: skip
def test_markdown_is_shown_literally(text):
    (token,) = MarkdownIt().enable("strikethrough").parseInline(markdown_text(text))
    assert {child.type for child in token.children} <= {"text", "text_special"}
    assert "".join(child.content for child in token.children) == text


def test_markdown_is_one_line_without_formulas():
    assert markdown_text("a\n\n# b\r\n$c$") == "a # b &#36;c&#36;"
    assert markdown_text("p <.001") == "p <.001"
