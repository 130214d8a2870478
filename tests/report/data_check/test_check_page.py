"""The page of a check as a file: it tells every finding, shows the photographs, fetches nothing, escapes everything."""

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from checked import looked_at, photographs, tiles
from pages import Page
from photos import folder, pictures, save, whole
from PIL import Image, ImageOps

from ablation.data.check import Check
from ablation.report.data_check.findings import findings, moments_line, verdict
from ablation.report.data_check.page import OPEN_ROWS, render_check
from ablation.report.data_check.thumbnails import OF_GROUP
from ablation.report.render.digest import is_current

CATS = Path(__file__).parents[4] / "shared" / "data" / "cats12"
HOSTILE, CHINESE = '<script>alert("1")<', "花猫 'x' 🌸"


def nasty(root: Path) -> Path:
    """Parts, names that no page should trust, and every defect."""
    folder(root, {f"{part}/{name}": 4 for part in ("train", "test") for name in (HOSTILE, CHINESE, "dog & cat")})
    train, test = root / "train", root / "test"
    save(pictures()[30], train / HOSTILE / "leak <b>.png")
    save(ImageOps.mirror(pictures()[30]).resize((90, 75)), test / CHINESE / "leak.jpg")
    save(pictures()[31], train / HOSTILE / "both.png")
    save(pictures()[31], train / CHINESE / "both.png")
    for number in range(9):
        save(pictures()[32], test / "dog & cat" / f"again {number}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    save(whole()[1].crop((200, 100, 320, 180)), train / "dog & cat" / "turned.jpg", exif=turned)
    clear = pictures()[33].convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    save(clear, train / "dog & cat" / "glass.png")
    save(pictures()[34], train / "dog & cat" / "really a png.jpg", format="PNG")
    save(pictures()[35].resize((40, 30)), train / "dog & cat" / "tiny.png")
    save(whole()[0].crop((0, 200, 640, 300)), train / "dog & cat" / "panorama.jpg")
    save(Image.new("RGB", (90, 80), "navy"), train / "dog & cat" / "navy.png")
    save(pictures()[36].convert("L"), train / "dog & cat" / "grey.png")
    for number in range(OPEN_ROWS + 3):
        (test / CHINESE / f"zeros {number} <i>.jpg").write_bytes(b"\0" * 50)
    (train / HOSTILE / "page.jpg").write_bytes(b"<!DOCTYPE html>")
    return root


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Check:
    return looked_at(nasty(tmp_path_factory.mktemp("nasty") / "my <photos>"))


@pytest.fixture(scope="module")
def html(result) -> str:
    return render_check(result)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_page_is_well_formed_and_fetches_nothing(html, page):
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset"):
            assert re.match("data:|#", attributes.get(name) or "#")
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 3
    assert all(attributes["aria-label"] for attributes in drawings)
    assert not re.search(r"@import|url\((?!#)|(?:src|href)=\"(?:https?:)?//", html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_hostile_names_are_escaped_and_shown(html, page):
    assert "<script" not in html
    assert "<b>." not in html
    for name in (HOSTILE, CHINESE, "dog & cat", "leak <b>.png", "zeros 0 <i>.jpg", "my <photos>"):
        assert name in page.text, name


def test_page_opens_with_the_verdict_and_the_facts(result, page):
    assert page.text.index(f"my <photos>: {verdict(result)}") < page.text.index("photographs of 3 classes")
    assert "Unbalanced" in page.text
    assert re.search(r"In 2 parts: train \(\d+\) and test \(\d+\)", page.text)
    assert "the smallest 40 × 30, the largest 640 × 100" in page.text


def test_every_finding_is_told_with_its_advice_and_leads_somewhere(result, html, page):
    ids = {attributes.get("id") for _, attributes in page.tags}
    sentence = findings(result)
    assert {finding.about for finding in sentence} == {
        "bad",
        "classes",
        "copies",
        "files",
        "sizes",
        "brightness",
        "colour",
        "study",
    }
    for finding in sentence:
        for words in filter(None, (finding.text, finding.advice)):
            assert words[0].upper() + words[1:] in page.text
        assert finding.about in ids
        assert finding.about == "study" or f'href="#{finding.about}"' in html
    for level in ("error", "warning", "note"):
        assert html.count(f'<li class="{level}">') == sum(finding.level == level for finding in sentence)


def test_sections_stand_in_order(page):
    headings = [
        "Files that cannot be used", "Classes", "Mean and standard deviation", "Pictures that occur several times",
        "Files", "Sizes", "Brightness and contrast", "Colour", "What an augmentation study should mind",
    ]  # fmt: skip
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert ids == ["bad", "classes", "moments", "copies", "files", "sizes", "brightness", "colour", "study"]
    positions = [page.words.index(heading) for heading in headings]
    assert positions == sorted(positions)


def test_all_bad_files_are_told_those_past_twenty_folded(result, html, page):
    assert len(result.bad) == OPEN_ROWS + 4
    assert f"All in {result.source.path}." in page.text
    assert f"train/{HOSTILE}/page.jpg an HTML page" in page.text
    for number in range(OPEN_ROWS + 3):
        assert f"test/{CHINESE}/zeros {number} <i>.jpg" in page.text
    assert page.text.count("the file is all zeros") == OPEN_ROWS + 3
    section = html[html.index('id="bad"') : html.index('id="classes"')]
    assert section.index("<details>") > section.rindex("</tbody>", 0, section.index("<summary>"))
    assert "4 more" in section


def test_the_line_to_copy_stands_in_a_box(result, html):
    assert f"<pre><code>{moments_line(result)}</code></pre>" in html


def test_copies_stand_side_by_side_by_the_harm_they_do(html):
    section = html[html.index('id="copies"') : html.index('id="files"')]
    kinds = re.findall(r"<h3>(The same picture [^<]+)</h3>", section)
    assert kinds == [
        f"The same picture {where}" for where in ("in different parts", "in different classes", "within a class")
    ]
    parts, classes, within = (section[section.index(kind) :].split('<div class="kind')[0] for kind in kinds)
    assert (tiles(parts), tiles(classes), tiles(within)) == (2, 2, OF_GROUP)
    assert parts.count('class="part differs"') == 2
    assert parts.count('<b class="differs">') == classes.count('<b class="differs">') == 2
    assert "differs" not in within
    assert ("near-duplicates" in parts, "exact copies" in classes, "exact copies" in within) == (True, True, True)
    assert "and 3 more like them" in within
    one, other = photographs(parts)
    assert np.abs(one.astype(float) - np.asarray(Image.fromarray(other[:, ::-1]).resize(one.shape[1::-1]))).mean() < 25
    assert "120 × 100" in parts.replace("\u00a0", " ")
    assert "90 × 75" in parts.replace("\u00a0", " ")


def test_odd_photographs_are_shown_upright_and_with_their_sizes(result, html):
    files, sizes, brightness, colour = (
        html[html.index(f'id="{one}"') : html.index(f'id="{other}"')]
        for one, other in (("files", "sizes"), ("sizes", "brightness"), ("brightness", "colour"), ("colour", "study"))
    )
    turned, glass = photographs(files)
    assert turned.shape[0] > turned.shape[1]
    assert glass[-1].mean() < glass[0].mean()  # what is transparent, above, lies over white
    assert "really a png.jpg</th><td>.jpg</td><td>PNG</td>" in files
    tiny, long = photographs(sizes)
    assert tiny.shape == (30, 40, 3)
    assert "40 × 30" in sizes.replace("\u00a0", " ")
    assert long.shape[1] / long.shape[0] == pytest.approx(6.4, rel=0.05)
    assert "Of one colour, or nearly" in brightness
    assert len(photographs(colour)) == len(result.grey) == tiles(colour)


def test_the_darkest_and_brightest_and_flattest_are_shown(result, html):
    brightness = html[html.index('id="brightness"') : html.index('id="colour"')]
    titles = ("Darkest", "Brightest", "Flattest", "Strongest contrast")
    galleries = {
        title: re.findall(r'class="file" title="([^"]+)"', part)
        for title, part in zip(titles, brightness.split('<div class="gallery">')[1:5], strict=True)
    }
    data = result.listing
    for title, trait, sign in zip(titles, ("brightness",) * 2 + ("contrast",) * 2, (1, -1, 1, -1), strict=True):
        shown = [data.traits[trait][data.names.index(unescape(name))] for name in galleries[title]]
        assert len(shown) >= 3
        assert shown == sorted(data.traits[trait], key=lambda value, sign=sign: sign * value)[: len(shown)]


def test_a_photograph_that_went_away_leaves_an_empty_frame(tmp_path):
    root = folder(tmp_path / "d", {"cat": 3, "dog": 3})
    for name in ("one.png", "other.png"):
        save(pictures()[30], root / "cat" / name)
    result = looked_at(root)
    (root / "cat" / "one.png").unlink()
    (root / "cat" / "other.png").write_bytes(b"not a picture any more")
    html = render_check(result)
    copies = html[html.index('id="copies"') : html.index('id="files"')]
    assert (tiles(copies), copies.count("cannot be read any more"), photographs(copies)) == (2, 2, [])
    assert photographs(html)


def test_the_page_repeats_but_for_its_digest(result, html, tmp_path):
    again = render_check(result, "0123")
    assert again.replace('content="0123"', 'content=""') == html
    (tmp_path / "check.html").write_text(again, "utf-8")
    assert is_current(tmp_path / "check.html", "0123")
    assert not is_current(tmp_path / "check.html", "4567")
