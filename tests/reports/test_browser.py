"""The HTML report in a real Chromium: opens without errors, sorts, filters, fits a phone, loads nothing.

AXE_CORE names axe.min.js of npm's axe-core, which looks for what keeps anybody from reading a page.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reports
from reports.__main__ import main

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with its chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        yield opened
        opened.quit()


@pytest.fixture(scope="module")
def page(browser: Any, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    title = "A table (not as published: recipe.milestones=46.2962963,92.5925926,138.8888889)"  # no place to break it
    folder = tmp_path_factory.mktemp("report")
    path = reports.Report(frame, title=title, origin=reports.Origin(command="synthetic")).write(
        folder, formats=["html"]
    )["html"]
    return _open(browser, path)


def _open(browser: Any, path: Path) -> Any:
    browser.get(path.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    return browser


def resize(browser: Any, width: int, height: int = 900) -> None:
    """A window narrower than Chromium's least: by emulation, as a phone would have it."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def column(page: Any, title: str, table: str = "cells") -> list[str]:
    """The texts of a column's visible rows, in the order in which they stand."""
    script = """
        const table = document.getElementById(arguments[0]);
        const place = [...table.tHead.rows[0].cells].findIndex(head => head.textContent.trim() === arguments[1]);
        const visible = [...table.tBodies[0].rows].filter(row => row.checkVisibility());
        return visible.map(row => row.cells[place].innerText.trim());
    """
    return page.execute_script(script, table, title)


def click(page: Any, title: str) -> None:
    buttons = page.find_elements("css selector", "#cells thead button")
    page.execute_script("arguments[0].click()", next(one for one in buttons if one.text.strip() == title))


def test_opens_without_console_errors_and_without_requests(page: Any) -> None:
    assert page.get_log("browser") == []
    sent = [
        entry["message"] for entry in page.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert [message for message in sent if '"url":"http' in message] == []


def test_a_click_sorts_by_number_and_a_second_one_the_other_way(page: Any, frame: pd.DataFrame) -> None:
    def accuracies() -> list[float]:
        return [float(text.split()[0]) for text in column(page, "accuracy, %")]

    unsorted = accuracies()
    click(page, "accuracy, %")
    assert accuracies() == sorted(unsorted) != unsorted
    head = page.find_element("css selector", "#cells th[aria-sort]")
    assert head.get_attribute("aria-sort") == "ascending"
    click(page, "accuracy, %")
    assert accuracies() == sorted(unsorted, reverse=True)
    for _ in ("ascending", "descending"):
        click(page, "difference")
        assert column(page, "difference")[-1] == ""  # what is not there is last, whichever way
    click(page, "method")
    assert column(page, "method") == sorted(column(page, "method"), key=str.lower)
    assert len(page.find_elements("css selector", "#cells th[aria-sort]")) == 1


def test_filters_combine_and_count(page: Any) -> None:
    script = """
        const form = document.querySelector("form[data-for=cells]");
        form.querySelector("input").value = arguments[0];
        for (const select of form.querySelectorAll("select")) {
          const choice = [...select.options].find(option => option.text === arguments[1]);
          select.value = choice ? choice.value : "";
        }
        form.dispatchEvent(new Event("input", {bubbles: true}));
        return form.querySelector("output").textContent;
    """
    assert page.execute_script(script, "grasp", "") == "15 of 45 rows"
    assert set(column(page, "method")) == {"GraSP"}
    assert page.execute_script(script, "95", "GraSP") == "5 of 45 rows"
    assert page.execute_script(script, "synflow", "≡ identical") == "3 of 45 rows"
    assert set(column(page, "check")) == {"random_labels"}
    assert page.execute_script(script, "no such thing", "") == "0 of 45 rows"
    assert page.execute_script(script, "", "") == "45 of 45 rows"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(page: Any, width: int) -> None:
    resize(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script(
        "return [...document.querySelectorAll('figure svg')].every(one => one.clientWidth > 300)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(page: Any, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    script = """
        const light = colour => {
          const linear = x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
          const [r, g, b] = colour.match(/[\\d.]+/g).map(x => linear(x / 255));
          return .2126 * r + .7152 * g + .0722 * b;
        };
        const behind = one => {
          const colour = getComputedStyle(one).backgroundColor;
          return one === document.body || /^rgb\(/.test(colour) ? light(colour) : behind(one.parentElement);
        };
        return [...document.querySelectorAll("p, td, th, .verdict, .sign, dd, figure text")].map(one => {
          const ink = light(getComputedStyle(one)[one.tagName === "text" ? "fill" : "color"]), ground = behind(one);
          return (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05);
        });
    """
    assert min(page.execute_script(script)) >= 4.5


MEASURED = Path(__file__).parents[2] / "reproductions" / "measured"


@pytest.fixture(scope="module", params=["many checks", "one comparison", "a reproduction"])
def any_page(request: pytest.FixtureRequest, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    if request.param == "a reproduction":
        words = [
            str(MEASURED / "lee2019_table1"),
            "--reproduction",
            "lee2019_table1",
            "--output",
            str(folder),
            "--format",
            "html",
        ]
        assert main([*words, "--quiet"]) == 0
        return folder / "report.html"
    one = frame[(frame["method"] == "grasp") & (frame["ratio"] == frame["ratio"].max())]
    one = one[one["check"].isin(["none", one[one["check"] != "none"]["check"].iloc[0]])]
    records = frame if request.param == "many checks" else one
    return reports.Report(records, origin=reports.Origin(command="synthetic")).write(folder, formats=["html"])["html"]


@pytest.fixture(scope="module")
def largest_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 1,299 records: five methods at 18 sparsities."""
    folder = tmp_path_factory.mktemp("largest")
    words = [str(MEASURED / "frankle2021_lenet"), "--output", str(folder), "--format", "html", "--quiet"]
    assert main(words) == 0
    return folder / "report.html"


def serious(browser: Any) -> list[list[str]]:
    """What axe-core finds on the page that is open: impact, rule and the first element of each."""
    source = os.environ.get("AXE_CORE", "")
    if not source:
        pytest.skip("AXE_CORE does not name an axe.min.js")
    browser.set_script_timeout(300)  # 14,000 elements take 4 seconds of an idle core
    browser.execute_script(Path(source).read_text(encoding="utf-8"))
    violations = browser.execute_async_script("""
        const done = arguments[arguments.length - 1];
        axe.run({resultTypes: ["violations"]}).then(
          found => done(found.violations.map(one => [one.impact, one.id, one.nodes[0].html])));
    """)
    return [one for one in violations if one[0] in ("serious", "critical")]


def test_axe_finds_nothing_serious(browser: Any, any_page: Path) -> None:
    _open(browser, any_page)
    assert serious(browser) == []


def test_axe_finds_nothing_serious_on_the_largest_page(browser: Any, largest_page: Path) -> None:
    _open(browser, largest_page)
    assert serious(browser) == []


def test_on_paper_all_is_open_but_long_tables_and_afterwards_as_before(browser: Any, any_page: Path) -> None:
    browser.get(any_page.as_uri())
    script = """
        const open = () => [...document.querySelectorAll("details")].map(one => one.open);
        const before = open();
        dispatchEvent(new Event("beforeprint"));
        const printed = open();
        dispatchEvent(new Event("afterprint"));
        return [before, printed, open()];
    """
    before, printed, after = browser.execute_script(script)
    assert before == after != printed
    folded = "return [...document.querySelectorAll('details')].map(one => one.matches('details details'))"
    unrun = browser.execute_script(folded)
    assert printed == [not one for one in unrun]  # no table of these has more than 60 rows


def test_the_largest_page_begins_everything_on_one_screen_and_is_small(browser: Any, largest_page: Path) -> None:
    browser.get(largest_page.as_uri())
    resize(browser, 1280, 800)
    script = """
        return ["h1", ".lead", ".trust", ".verdicts table", ".forest svg", "#next"].map(one => {
          const box = document.querySelector(one).getBoundingClientRect();
          return [one, box.top, box.bottom, box.width];
        });
    """
    boxes = {name: (top, bottom, width) for name, top, bottom, width in browser.execute_script(script)}
    assert boxes[".verdicts table"][1] < 800  # the strips whole
    assert boxes["#next"][0] < 770  # at least its first line
    assert boxes[".forest svg"][0] < 200
    cut = "const one = document.querySelector('.verdicts .wide'); return one.scrollWidth - one.clientWidth"
    assert browser.execute_script(cut) <= 0
    resize(browser, 390, 800)
    tops = [top for _, top, _, _ in browser.execute_script(script)]
    assert tops == sorted(tops)  # the same order in one column
    assert largest_page.stat().st_size < 1.5e6


def test_on_paper_nothing_is_cut_and_figures_stay_with_their_note(browser: Any, largest_page: Path) -> None:
    browser.get(largest_page.as_uri())
    resize(browser, 703)  # A4 without its margins
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    script = """
        dispatchEvent(new Event("beforeprint"));
        const style = one => getComputedStyle(document.querySelector(one));
        const seen = [...document.querySelectorAll("#answer *")].filter(one => one.checkVisibility());
        const result = [
          Math.max(...seen.map(one => one.getBoundingClientRect().right)),
          style(".command pre").whiteSpace, style(".start").display, style(".start").breakInside,
          style(".strip .different").printColorAdjust,
          document.querySelectorAll(".start").length,
          document.querySelectorAll(".start:has(.note):has(figure)").length,
          document.querySelector("#next").getBoundingClientRect().bottom + scrollY < 1017,  // A4 without its margins
          document.querySelector(".lead details").getBoundingClientRect().top
            >= document.querySelector("#next").getBoundingClientRect().bottom,
        ];
        dispatchEvent(new Event("afterprint"));
        return result;
    """
    right, *others = browser.execute_script(script)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert right <= 703
    assert others == ["pre-wrap", "block", "avoid", "exact", 3, 3, True, True]  # accuracy, layers, overlap


def test_the_first_screen_of_a_desk_holds_answer_verdicts_and_picture(browser: Any, any_page: Path) -> None:
    browser.get(any_page.as_uri())
    resize(browser, 1280, 800)
    script = """
        const names = [".lead", ".trust", ".verdicts", ".forest svg"];
        const parts = names.map(one => document.querySelector(`#answer ${one}`));
        return parts.filter(Boolean).map(one => one.getBoundingClientRect().top);
    """
    tops = browser.execute_script(script)
    assert len(tops) >= 3
    assert max(tops) < 700
    resize(browser, 390, 800)
    assert browser.execute_script(script) == sorted(browser.execute_script(script))  # the same order in one column
