"""The report in a real Chromium, opened from disk with the network off."""

import itertools

import pytest

from stages import report

PHONE, DESKTOP = 390, 1280
# As the eye sees them: relative luminance of a colour, contrast of two (WCAG 2.2).
CONTRAST = """
() => {
  const light = text => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const texts = "p, h1, h2, h3, li, td, th, .note, .truth, .wrong, .warn, .pass";
  return Math.min(...[...document.querySelectorAll(texts)].map(node => {
    const ink = light(getComputedStyle(node).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
}
"""


@pytest.fixture(scope="module")
def pages():
    return {}


@pytest.fixture
def reported(results, settings, here, pages):
    """Write a report, each of its kind but once."""

    def run(**changes):
        file, kind = here / "reports/report.html", str(changes)
        if kind not in pages:
            pages[kind] = write(**changes)
        file.parent.mkdir(exist_ok=True)
        file.write_text(pages[kind])
        return file

    def write(**changes):
        rule = {"rule": "brightness", "means": "an image is bright", "severity": "warn", "checked": 40}
        rules = [rule | {"outcome": outcome, "broken": 2, "examples": ["03.png"]} for outcome in ("pass", "warn")]
        results(rules=rules, **changes)
        report.run(settings())
        return (here / "reports/report.html").read_text()

    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_report_opens_without_network_and_draws_every_chart(reported, open_page, keep_screenshot, width, scheme):
    opened = open_page(reported(), width, scheme)
    keep_screenshot(opened, f"report-{width}-{scheme}")
    assert opened.said == []
    assert opened.asked == []
    marks = opened.ask("""() => Object.fromEntries([...document.querySelectorAll("svg")].map(svg => [
        svg.getAttribute("aria-label"),
        svg.querySelectorAll(".role-mark [role=graphics-symbol]").length,
    ]))""")
    # Squares and numbers of 4 pairs; points and spans of 3 classes and the line for all; 6 points and their line.
    assert marks["Confusion matrix of 3 classes: actual against predicted"] == 8
    assert marks["Recall by class, with intervals"] == 7
    assert marks["Accuracy under noise of growing strength"] == 7
    assert marks["Accuracy by brightness, with intervals"] == 9
    assert marks["Accuracy by size, with intervals"] == 5
    # Two lines of 19 points each.
    assert marks["Norm of the gradient of each convolution at initialisation, with and without shortcuts"] == 40
    assert len(marks) == 19
    assert min(marks.values()) > 0
    assert opened.ask("() => [...document.images].map(image => image.complete && image.naturalWidth)") == [8, 8, 8]
    assert opened.ask("() => document.documentElement.scrollWidth") == width
    assert opened.ask(CONTRAST) >= 4.5


def test_no_label_of_a_chart_is_cut_off(reported, open_page):
    long = [f"a class of a rather long name, number {number}" for number in range(12)]
    opened = open_page(reported(classes=long), DESKTOP)
    cut = opened.ask("""() => [...document.querySelectorAll("svg text")].filter(text => {
        const own = text.getBoundingClientRect(), svg = text.closest("svg").getBoundingClientRect();
        return own.left < svg.left - 1 || own.right > svg.right + 1
            || own.top < svg.top - 1 || own.bottom > svg.bottom + 1;
    }).map(text => text.textContent)""")
    assert cut == []


def test_a_click_sorts_a_table_and_says_so(reported, open_page):
    opened = open_page(reported(classes=[f"class {number}" for number in range(12)], wrong=15))
    table = opened.page.locator("table", has_text="Precision, recall and F1")
    head = table.locator("th", has_text="Recall")
    column = "table => [...table.tBodies[0].rows].map(row => +row.cells[2].dataset.value)"
    before = table.evaluate(column)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert table.evaluate(column) == sorted(before, reverse=True) != before
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert table.evaluate(column) == sorted(before)
    names = table.locator("thead th", has_text="Class")
    names.locator("button").click()
    assert (head.get_attribute("aria-sort"), names.get_attribute("aria-sort")) == ("none", "ascending")
    # By their numbers, not by their letters.
    shown = table.evaluate("table => [...table.tBodies[0].rows].map(row => row.cells[0].textContent)")
    assert shown == [f"class {number}" for number in range(12)]


def test_every_table_can_be_sorted(reported, open_page):
    opened = open_page(reported())
    opened.ask("() => document.querySelectorAll('details').forEach(node => node.open = true)")
    heads = opened.page.locator("thead th")
    assert heads.count() > 20
    assert heads.locator("button").count() == heads.count()
    for button in heads.locator("button").all():
        button.click()
    assert opened.said == []


def test_a_mark_says_under_the_pointer_what_it_stands_for(reported, open_page):
    opened = open_page(reported())
    tip = opened.page.locator("#tip")
    assert not tip.is_visible()
    opened.page.locator("svg[aria-label^='Confusion'] .role-mark [aria-label]").last.hover()
    assert tip.is_visible()
    assert tip.inner_text() == "10 images of eel taken for eel, 100% of the class"
    opened.page.locator("h1").hover()
    assert not tip.is_visible()


def test_a_screen_reader_finds_its_way(reported, open_page):
    opened = open_page(reported())
    found = opened.ask("""() => ({
        levels: [...document.querySelectorAll("h1, h2, h3")].map(head => +head.tagName[1]),
        landmarks: ["header", "nav", "main"].map(name => document.querySelectorAll(name).length),
        bare_tables: [...document.querySelectorAll("table")].filter(table => !table.caption).length,
        bare_images: [...document.images].filter(image => !image.alt).length,
        bare_charts: [...document.querySelectorAll("svg")].filter(svg =>
            svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label")).length,
        repeated_ids: (ids => ids.filter((id, place) => ids.indexOf(id) !== place))(
            [...document.querySelectorAll("[id]")].map(node => node.id)),
        dead_links: [...document.querySelectorAll("a")].filter(link => !document.querySelector(link.hash)).length,
        language: document.documentElement.lang,
    })""")
    levels = found.pop("levels")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert found == {
        "landmarks": [1, 1, 1],
        "bare_tables": 0,
        "bare_images": 0,
        "bare_charts": 0,
        "repeated_ids": [],
        "dead_links": 0,
        "language": "en",
    }


def test_it_can_be_printed_dark_ink_on_white_paper(reported, open_page):
    opened = open_page(reported(), DESKTOP, "dark")
    opened.page.emulate_media(media="print")
    assert opened.ask("() => getComputedStyle(document.body).color") == "rgb(27, 30, 35)"
    assert not opened.page.locator("nav").is_visible()
    assert opened.page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("two-classes", {"classes": ("cat", "dog")}),
        ("five-images", {"images": [2, 2, 1], "validation": 2}),
        ("absent-class", {"images": [10, 0, 10]}),
        (
            "thousand-classes",
            {"classes": [f"class {number}" for number in range(1000)], "images": [2] * 1000, "wrong": 99},
        ),
    ],
)
def test_unusual_data_makes_a_page_all_the_same(reported, open_page, keep_screenshot, name, changes):
    file = reported(**changes)
    assert file.stat().st_size < 5_000_000
    opened = open_page(file, PHONE)
    keep_screenshot(opened, f"report-{name}")
    assert (opened.said, opened.asked) == ([], [])
    assert opened.ask("() => document.documentElement.scrollWidth") == PHONE


def test_a_name_that_is_code_stays_a_name(reported, open_page):
    name = "<img src=x onerror=console.log(1)><script>console.log(1)</script>"
    opened = open_page(reported(classes=(name, "dog", "eel")))
    assert (opened.said, opened.asked) == ([], [])
    assert opened.page.locator("th", has_text=name).count() > 0
