"""The pages in a browser: accessible, nothing cut off at either width, nothing from outside, a PDF that can be read."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from psi.bench import compare, page
from tests.bench_kit import results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("pypdf", reason="pypdf is not installed")
pytest.importorskip("axe_playwright_python", reason="axe is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
WIDTHS = {"desktop": 1200, "phone": 375}
# Every text of a chart must lie within the chart, which lies within the page.
CUT_OFF = """() => {
  const out = [];
  for (const svg of document.querySelectorAll('svg')) {
    const whole = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (box.left < whole.left - 1 || box.right > whole.right + 1 ||
          box.top < whole.top - 1 || box.bottom > whole.bottom + 1) out.push(text.textContent);
    }
    if (whole.right > window.innerWidth) out.push('a chart');
  }
  return out;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tests.test_compare import RECEIPT

    folder = tmp_path_factory.mktemp("pages")
    (folder / "receipt.json").write_text(json.dumps(RECEIPT))
    made = {"report": page.html(results()), "compare": compare.html(compare.compare(folder, file=None))}
    for name, data in made.items():
        (folder / f"{name}.html").write_bytes(data)
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("name", ["report", "compare"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_page_is_accessible_whole_and_asks_for_nothing(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    shown = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(pages[name].as_uri())
    assert asked == [pages[name].as_uri()]
    assert [fault["id"] for fault in Axe().run(shown).response["violations"]] == []
    assert shown.evaluate(CUT_OFF) == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.get_by_role("img").count() == shown.locator("figure").count() > 0
    shown.close()


@pytest.mark.parametrize("name", ["report", "compare"])
def test_the_printed_page_has_its_text(
    browser: Any, pages: dict[str, Path], name: str, tmp_path: Path
) -> None:
    from pypdf import PdfReader

    shown = browser.new_page()
    shown.goto(pages[name].as_uri())
    shown.pdf(path=tmp_path / "page.pdf", tagged=True, outline=True, prefer_css_page_size=True)
    read = PdfReader(tmp_path / "page.pdf")
    text = " ".join(" ".join(each.extract_text() for each in read.pages).split())
    for heading in ("The answer", "What crosses the line", "What this does not show", "How to cite it"):
        assert heading in text
    answer = shown.locator("p.answer").inner_text()
    assert " ".join(answer.split()) in text
    shown.close()
