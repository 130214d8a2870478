"""Words for numbers, once for everything that a person reads: p-values, shares, lists, counts, times, sizes.

Knows no experiment and no metric. Numbers carry a true minus sign; `to_ascii` is for outputs that have none.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterable

NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def p_text(p: float, alpha: float = 0.05) -> str:
    """Return a p-value without its leading zero, a dash for nan; never on the other side of alpha than p.

    Where three digits would put it there it has four, rounded towards itself.

    >>> p_text(0.004), p_text(0.0002), p_text(0.04996)
    ('.004', '<.001', '.0499')
    """
    if math.isnan(p):
        return NONE
    if p < min(alpha, 0.001):
        return "<.001"
    text = f"{p:.3f}"
    if (float(text) < alpha) != (p < alpha):
        text = f"{(math.floor if p < alpha else math.ceil)(p * 10_000) / 10_000:.4f}"
    return text.removeprefix("0")


def p_phrase(p: float, alpha: float = 0.05) -> str:
    """Return a p-value as it stands in a sentence.

    >>> p_phrase(0.004), p_phrase(0.0002)
    ('p = .004', 'p < .001')
    """
    text = p_text(p, alpha)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def percent(level: float) -> str:
    """Return a share in percent.

    >>> percent(0.95)
    '95 %'
    """
    return f"{round(100 * level, 6):g} %"


def listing(names: Iterable[str], last: str = "and") -> str:
    """Return one or more names as a list in a sentence.

    >>> listing(["a"]), listing(["a", "b", "c"]), listing("ab", last="or")
    ('a', 'a, b and c', 'a or b')
    """
    *others, final = names
    return f"{', '.join(others)} {last} {final}" if others else final


def counted(number: int, thing: str, plural: str = "") -> str:
    """Return a number with what it counts; `plural` where that is not the word with an s.

    >>> counted(1, "seed"), counted(1200, "seed"), counted(2, "class", "classes")
    ('1 seed', '1,200 seeds', '2 classes')
    """
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


def out_of(number: int, whole: int, thing: str) -> str:
    """Return how many there are of those that there should be.

    >>> out_of(5, 5, "seed"), out_of(3, 5, "seed")
    ('5 seeds', '3 of 5 seeds')
    """
    return counted(whole, thing) if number == whole else f"{number:,} of {counted(whole, thing)}"


def duration(seconds: float) -> str:
    """Return a time in the units that a person would use, with no more digits than anybody reads.

    >>> [duration(seconds) for seconds in (0.44, 48, 200, 745, 7500, 181440)]
    ['0.4 s', '48 s', '3 min 20 s', '12 min', '2 h 05 min', '2.1 days']
    """
    whole = round(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes < 48 * 60 else f"{seconds / 86400:.1f} days"


def byte_size(number: float) -> str:
    """Return a number of bytes in decimal units.

    >>> byte_size(4_900), byte_size(97_500_000), byte_size(3.2e9)
    ('4.9 kB', '97.5 MB', '3.2 GB')
    """
    for unit, one, least in (("GB", 1e9, 1e9), ("MB", 1e6, 1e5)):
        if number >= least:
            return f"{number / one:,.1f} {unit}"
    return f"{number / 1e3:,.1f} kB"


_OPEN, _CLOSE = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_OTHER = "\N{LEFT-TO-RIGHT ISOLATE}"
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # what turns the direction of writing
_CONTROLS = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\ud800-\udfff]|{_DIRECTIONS.pattern}")

_END = re.compile(rf"(?<!\bet al)(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)[.?!]\s+(?=[^\sa-z(])(?![^{_OPEN}{_OTHER}]*{_CLOSE})")
"""Of a sentence, where another one follows; not within a name."""


def controls(text: str) -> list[str]:
    """Return the characters that control a terminal, end a line, turn the direction of writing, or are none at all.

    >>> controls("crop"), len(controls("crop" + chr(27)))
    ([], 1)
    """
    return _CONTROLS.findall(text)


def alike(name: str) -> str:
    """Return what a reader sees of a name: two names with the same cannot be told apart.

    >>> alike("crop ") == alike("crop" + chr(0x200B)), alike("crop") == alike("Crop")
    (True, False)
    """
    seen = (one for one in unicodedata.normalize("NFC", name) if unicodedata.category(one) != "Cf")
    return " ".join("".join(seen).split())


def named(name: str, recipe: bool = True) -> str:
    """Return a name that a user gave, marked as a name within a text: of a recipe, a class, an optimizer, a level.

    recipe: may it be shown as a recipe of this name is? Not where it is known to be something else.

    The marks are Unicode's isolates, which show as nothing and keep a name in Arabic from turning the text around it.
    Whoever shows the text sets the name apart (`name_spans`); `plain` puts it in quotes.
    """
    return f"{_OPEN if recipe else _OTHER}{_DIRECTIONS.sub('', name)}{_CLOSE}"


def kinds_of_spans(text: str) -> list[tuple[str, str]]:
    """Return the parts of a text in order, each with what it is: 'recipe', or 'name' of another thing; '' if no name.

    >>> kinds_of_spans(f"{named('crop')} under {named('adam', recipe=False)}")
    [('crop', 'recipe'), (' under ', ''), ('adam', 'name')]
    """
    parts = re.split(f"([{_OPEN}{_OTHER}])([^{_CLOSE}]*){_CLOSE}", text)
    texts = [(part, "") for part in parts[::3]]
    names = [(name, "recipe" if mark == _OPEN else "name") for mark, name in zip(parts[1::3], parts[2::3], strict=True)]
    both = itertools.chain.from_iterable(itertools.zip_longest(texts, names, fillvalue=("", "")))
    return [(part, kind) for part, kind in both if part or kind]


def name_spans(text: str) -> list[tuple[str, bool]]:
    """Return the parts of a text in order, each with whether it is a name.

    >>> name_spans(f"{named('crop')} helps")
    [('crop', True), (' helps', False)]
    """
    return [(part, bool(kind)) for part, kind in kinds_of_spans(text)]


def plain(text: str) -> str:
    """Return the text with its names in quotes, for outputs that have no other way to set them apart.

    A name that stands alone, as over the rows of a table, needs none.

    >>> plain(f"{named('crop')} beats {named('none')}"), plain(named("adam"))
    ('“crop” beats “none”', 'adam')
    """
    spans = name_spans(text)
    return "".join(f"“{part}”" if is_name and len(spans) > 1 else part for part, is_name in spans)


def bare(text: str) -> str:
    """Return the text with nothing that sets its names apart, for a cell or a label that is a name itself.

    >>> bare(f"{named('adam')}, dropout 0.3")
    'adam, dropout 0.3'
    """
    return "".join(part for part, _ in name_spans(text))


def first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence of a text and what follows it.

    >>> first_sentence("Better by 1.5 points (Holm et al. 1979). The band is the margin.")
    ('Better by 1.5 points (Holm et al. 1979).', 'The band is the margin.')
    """
    end = _END.search(text)
    return (text[: end.end()].rstrip(), text[end.end() :]) if end else (text, "")


def tied(text: str) -> str:
    """Return the text with no-break spaces where a line may not end: '95 %', '2.3 GB', '5 seeds', 'p = .004'."""
    return re.sub(r"(?<=\d) (?=%|seed|point|[kMG]B)|(?<=\b[pn]) (?=[<=] )|(?<=\b[pn] [<=]) (?=[.\d])", "\u00a0", text)


def opening(text: str) -> str:
    """Return the text with a capital first letter, as a sentence begins; a name that begins it is left as it is.

    Names are the user's: 'crop' and 'Crop' may be two recipes.

    >>> opening("nothing helps"), plain(opening(f"{named('crop')} helps"))
    ('Nothing helps', '“crop” helps')
    """
    return text[:1].upper() + text[1:]


_ASCII = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}─━╌╸╺", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯", "+"),
        **dict.fromkeys("\u2018\u2019", "'"),
        **dict.fromkeys("\u201c\u201d\u201e", '"'),
        **dict.fromkeys("█▉▊▋▌▍▎▏", "#"),
        **{"±": "+-", "×": "x", "·": ".", "•": "*", "✗": "x", "→": "->", "≥": ">=", "≤": "<=", "≠": "!="},
        **{"\N{GREEK SMALL LETTER ALPHA}": "alpha", "σ": "sd"},
        **{"▲": "+", "▼": "-", "≈": "~", "○": "o"},
    }
)


def to_ascii(text: str) -> str:
    r"""Return the text in ASCII alone: signs by their likes, letters without accents, anything else as an escape.

    >>> to_ascii("0.4 ± 0.1 · café → 猫")
    '0.4 +- 0.1 . cafe -> \\u732b'
    """
    spelled = unicodedata.normalize("NFKD", text.translate(_ASCII))
    without_accents = "".join(character for character in spelled if not unicodedata.combining(character))
    return without_accents.translate(_ASCII).encode("ascii", "backslashreplace").decode()
