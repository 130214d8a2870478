"""The page as people see it, in a real Chromium: nothing fetched, nothing cut off, both themes, keys, odd names."""

import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from pages import html_of, written_page

from ablation import SGD, Adam, Brightness, Digits
from ablation.core.text import NONE
from ablation.data.check import check
from ablation.evidence.study import Study
from ablation.report.data_check.page import render_check

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Glyph .* missing from font"),  # figures keep text: the browser has fonts for it
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: no page was opened"),
]

AXE = "4.14.1"
WIDTHS = (390, 800, 1200, 1600)
THEMES = {"light": False, "dark": True}
ODD = (
    "none", "<script>alert(1)</script>", '"onmouseover="alert(1)', "</script><b>x", "裁剪与亮度", "قص الصورة", "🐱 b",
    "x" * 80,
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(complete, tmp_path_factory) -> Path:
    """The whole report of fifty runs."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:  # maps of fewer images take a tenth of the time
        patch.setattr("ablation.report.sections.embedding.compute.MOST_IMAGES", 60)
        written_page(Study(complete), folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def odd_page(build, fake, tmp_path_factory) -> Path:
    """Recipes, optimizers, classes and the experiment have names that could do harm."""
    folder = tmp_path_factory.mktemp("odd")
    experiment = build(
        recipes={name: (Brightness(0.05 * number),) if number else () for number, name in enumerate(ODD)},
        optimizers={"</title><script>alert(2)</script>": Adam(), "优化器": SGD(lr=0.1)},
        seeds=3,
        question="Is <i>this</i> 'a' & \"b\"?",
    )
    results = fake(experiment, folder, classes=len(ODD), images=60, gains={ODD[1]: 0.05, ODD[7]: 0.06})
    path = folder / "odd.html"
    sections = ("effects", "interaction", "split_analysis", "class_harm", "reproduce")
    path.write_text(html_of(Study(replace(results, classes=ODD)), sections), "utf-8")
    return path


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The accessibility checker, as npm gives it; it is kept where pip keeps its own downloads."""
    kept = Path.home() / ".cache" / "axe-core" / AXE / "axe.min.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed: accessibility was not checked")
        folder = tmp_path_factory.mktemp("axe")
        made = subprocess.run([npm, "pack", f"axe-core@{AXE}"], cwd=folder, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"npm could not fetch axe-core, accessibility was not checked: {made.stderr[-300:]}")
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            content = archive.extractfile("package/axe.min.js").read()
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
    return kept.read_text("utf-8")


FITS = "document.documentElement.scrollWidth <= innerWidth"

CUT_OFF = """[...document.querySelectorAll(%s)].filter((verdict) => {
    const box = verdict.getBoundingClientRect(), frame = verdict.closest(".frame, table").getBoundingClientRect();
    return !(box.width > 20 && box.left >= 0 && box.right <= innerWidth && box.right <= frame.right + 1);
}).map((verdict) => verdict.closest("tr").textContent.trim())"""


def cut_off(browser: Browser, selector: str) -> list[str]:
    """The rows whose verdict is not within the window."""
    return browser.run(CUT_OFF % json.dumps(selector))


def test_it_opens_from_disk_fetches_nothing_and_complains_of_nothing(browser, page):
    browser.open(page)
    assert [address for address in browser.requests() if not address.startswith("data:")] == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.run("document.querySelector('h1').textContent").startswith("Does crop")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways_and_every_verdict_is_in_view(browser, page, width):
    browser.open(page, width)
    assert browser.run(FITS)
    rows = "document.querySelectorAll('#effects .section-table')[0].querySelectorAll('tr[data-recipe] .verdict').length"
    assert browser.run(rows) == 15
    for verdicts in ("#effects .frame:nth-of-type(1) .verdict .badge", ".forest .verdict .badge", ".grid .badge"):
        assert cut_off(browser, verdicts) == []
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.settle()
    assert browser.run(FITS)


def test_the_first_screen_has_question_answer_number_and_how_sure(browser, page):
    browser.open(page)
    low = "Math.max(...[...document.querySelectorAll('h1, .figure, .range, .sure, .forest')].map(%s))"
    assert browser.run(low % "(one) => one.getBoundingClientRect().bottom") <= 800
    browser.open(page, 390)
    low = low.replace(", .sure, .forest", "")
    assert browser.run(low % "(one) => one.getBoundingClientRect().bottom") <= 800


def column(browser: Browser, table: str, number: int) -> list[str]:
    script = f"[...document.querySelector({json.dumps(table)}).tBodies].at(-1).querySelectorAll('tr[data-recipe]')"
    return browser.run(f"[...{script}].map((row) => row.cells[{number}]?.textContent.trim())")


def test_a_click_on_a_head_sorts_upwards_downwards_and_back(browser, page):
    browser.open(page)
    table = "#effects .section-table"
    heads = browser.run(f"[...document.querySelector('{table}').tHead.rows[0].cells].map((one) => one.textContent)")
    number = next(index for index, head in enumerate(heads) if head.startswith("difference"))
    button = f"{table} th:nth-child({number + 1}) button"
    state = f"document.querySelector('{button}').parentElement.getAttribute('aria-sort')"
    given = column(browser, table, number)

    def numbers():
        texts = column(browser, table, number)
        assert texts[-1] == NONE, "what has no difference comes last"
        return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts[:-1]]

    browser.click(button)
    assert browser.run(state) == "ascending"
    assert numbers() == sorted(numbers())
    browser.click(button)
    assert browser.run(state) == "descending"
    assert numbers() == sorted(numbers(), reverse=True)
    browser.click(button)
    assert browser.run(state) is None
    assert column(browser, table, number) == given
    browser.run(f"document.querySelector('{button}').focus()")
    browser.press("Enter")
    assert browser.run(state) == "ascending", "keys do it too"


def test_a_long_table_can_be_filtered(browser, page):
    browser.open(page)
    browser.run("for (const one of document.querySelectorAll('#reproduce details')) one.open = true")
    field = "#reproduce .filter input"
    table = f"document.querySelector('{field}').parentElement.nextElementSibling"
    shown = f"[...{table}.querySelectorAll('tbody tr:not(.group)')].filter((row) => row.checkVisibility())"
    every = browser.run(f"{shown}.length")
    assert every == 30, "as many as the page has of the fifty runs"
    assert "tables/reproduce-" in browser.run("document.querySelector('#reproduce .more a').getAttribute('href')")
    browser.run(f"document.querySelector('{field}').focus()")
    browser.send("Input.insertText", text="CROP")
    browser.settle()
    texts = browser.run(f"{shown}.map((row) => row.textContent)")
    assert 0 < len(texts) < every
    assert all("crop" in text for text in texts)
    assert browser.run("document.querySelector('#reproduce .filter output').textContent") == f"{len(texts)} of 30 rows"


LIGHTNESS = """(() => { const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
    return (r + g + b) / 765; })()"""


@pytest.mark.parametrize("theme", THEMES)
def test_the_theme_is_that_of_the_system_until_the_button_is_pressed(browser, page, theme):
    browser.open(page, dark=THEMES[theme])
    assert (browser.run(LIGHTNESS) < 0.2) is THEMES[theme]
    assert (
        browser.run("document.querySelector('.theme').textContent") == f"{'Light' if THEMES[theme] else 'Dark'} theme"
    )
    text = "getComputedStyle(document.querySelector('svg.drawing text')).fill"
    before = browser.run(text)
    browser.click(".theme")
    assert (browser.run(LIGHTNESS) < 0.2) is not THEMES[theme]
    assert browser.run(text) != before, "figures follow"


OPACITY = "[...document.querySelectorAll('%s')].map((one) => Number(getComputedStyle(one).opacity))"


def test_a_recipe_that_is_pointed_at_is_lit_everywhere_and_the_others_are_dim(browser, page):
    browser.open(page)
    index = browser.run("document.querySelector('.forest tbody tr:nth-child(2)').dataset.recipe")
    own, others = f'svg [data-recipe="{index}"]', f'svg [data-recipe]:not([data-recipe="{index}"])'
    assert set(browser.run(OPACITY % others)) == {1}
    browser.point(".forest tbody tr:nth-child(2) .estimate")
    assert set(browser.run(OPACITY % own)) == {1}
    assert max(browser.run(OPACITY % others)) < 0.5
    assert browser.run("document.querySelectorAll('.has-lit').length") > 5, "figures and tables"
    browser.point("h1")
    assert set(browser.run(OPACITY % others)) == {1}
    browser.run("document.querySelector('.forest tbody tr:nth-child(2) .pin').focus()")
    browser.settle()
    assert max(browser.run(OPACITY % others)) < 0.5, "the focus does it too"
    browser.press("Enter")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.run("document.activeElement.blur()")
    browser.settle()
    assert max(browser.run(OPACITY % others)) < 0.5, "pressed, it stays"
    browser.press("Escape")
    browser.settle()
    assert set(browser.run(OPACITY % others)) == {1}


def test_contents_follow_and_each_term_leads_to_its_explanation(browser, page):
    browser.open(page)
    assert browser.run("getComputedStyle(document.querySelector('nav.aside')).position") == "sticky"
    browser.run("document.querySelector('#learning_curves').scrollIntoView()")
    browser.run("new Promise((done) => setTimeout(done, 200))")
    current = "[...document.querySelectorAll('nav.aside [aria-current]')].map((link) => link.getAttribute('href'))"
    assert browser.run(current) == ["#learning_curves"]
    assert browser.run("document.querySelector('nav.aside').getBoundingClientRect().top") == 0
    terms = "[...document.querySelectorAll('a.term')].every((link) => document.querySelector(link.hash))"
    assert browser.run("document.querySelectorAll('a.term').length") > 20
    assert browser.run(terms)
    browser.open(page, 390)
    assert not browser.run("document.querySelector('nav.aside').checkVisibility()")
    assert browser.run("document.querySelector('nav.above summary').checkVisibility()")


def test_statistics_are_a_click_below_and_a_phone_has_all_columns_there(browser, page):
    columns = "[...document.querySelector('%s').tHead.rows[0].cells].filter((one) => one.checkVisibility()).length"
    main, below = "#effects .section-table", "#effects .statistics .section-table"
    whole = {}
    for width in (1200, 390):
        browser.open(page, width)
        assert not browser.run(f"document.querySelector('{below}').checkVisibility()")
        browser.click("#effects .statistics summary")
        whole[width] = [browser.run(columns % selector) for selector in (main, below)]
    assert whole[390][0] == 4 < whole[1200][0]
    assert sum(whole[390]) == sum(whole[1200]), "each column is in one of them"


def test_all_of_it_can_be_read_without_scripts_and_nothing_is_dead(browser, page):
    browser.open(page, 390, scripts=False)
    document = browser.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    selector = "button, input, [tabindex='0']:not(.hover)"
    assert browser.send("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"] == []
    assert browser.send("Page.getLayoutMetrics")["cssContentSize"]["width"] <= 390


def test_on_paper_everything_is_open_and_no_control_is_left(browser, page):
    browser.open(page, 800, dark=True)
    browser.send("Emulation.setEmulatedMedia", media="print")
    browser.settle()
    hidden = "[...document.querySelectorAll('%s')].filter((one) => one.checkVisibility()).length"
    assert browser.run(hidden % "button.theme, .filter, nav, .skip, .tip") == 0
    assert browser.run("document.querySelector('#effects .statistics table').getBoundingClientRect().height") > 100
    assert browser.run(LIGHTNESS) == 1, "ink on paper, whatever the theme"
    browser.send("Emulation.setEmulatedMedia", media="")


def test_it_works_in_the_frame_in_which_mlflow_shows_it(browser, page, tmp_path):
    frame = page.parent / "frame.html"
    frame.write_text(f'<iframe sandbox="allow-scripts" src="{page.name}" width="1000" height="700"></iframe>')
    browser.open(frame)
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert browser.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_odd_names_are_text_and_break_nothing(browser, odd_page, width):
    browser.open(odd_page, width)
    assert browser.complaints() == []
    assert browser.run(FITS)
    assert browser.run("document.scripts.length") == 1
    assert browser.run("document.querySelector('h1').textContent") == "Is <i>this</i> 'a' & \"b\"?"
    chips = set(browser.run("[...document.querySelectorAll('.chip')].map((one) => one.textContent)"))
    assert chips == set(ODD)
    assert cut_off(browser, ".forest .verdict .badge") == []
    assert cut_off(browser, "#effects .frame:nth-of-type(1) .verdict .badge") == []
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.settle()
    assert browser.run(FITS)


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("which", ["page", "odd_page"])
def test_nobody_is_kept_out(browser, axe, request, which, theme, width):
    browser.open(request.getfixturevalue(which), width, dark=THEMES[theme])
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.run(axe + "; 1")
    findings = browser.run("axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)")
    serious = [
        (one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"][:3]])
        for one in findings
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_page_of_a_data_check_stays_light_and_fetches_nothing(browser, tmp_path):
    path = tmp_path / "check.html"
    path.write_text(render_check(check(Digits(), tmp_path / "cache")), "utf-8")
    for width in (390, 1200):
        browser.open(path, width, dark=True)
        assert browser.complaints() == []
        assert browser.run(FITS)
        assert browser.run(LIGHTNESS) == 1
    assert "script-src &#39;none&#39;" in path.read_text("utf-8")
