"""What can be taken away from the charts: pictures and figures, of what is seen and of everything."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from stepline.home import Home
from tests.browser import homes
from tests.browser.test_charts import drag, wait_for_drawn

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect

WORDS = {
    "en": {"png": "Save as PNG", "copy": "Copy as PNG", "svg": "Save as SVG", "seen": "Save what is seen as CSV",
           "chart": "Loss curve", "saved": "Saved long-loss.png", "copied": "Picture copied", "other": "Gradient norm"},
    "zh": {"png": "存为 PNG", "copy": "复制为 PNG", "svg": "存为 SVG", "seen": "将所见保存为 CSV",
           "chart": "损失曲线", "saved": "已保存 long-loss.png", "copied": "图片已复制", "other": "梯度范数"},
}  # fmt: skip
WIDTH, HEIGHT = 2400, 1120

pytestmark = pytest.mark.parametrize("language", ["en", "zh"])


def choose(page, kind: str, chart: str) -> None:
    page.get_by_test_id("export").click()
    page.get_by_role("menuitem", name=kind).press("ArrowRight")
    page.get_by_role("menuitem", name=chart).click()


def saved(page, kind: str, chart: str) -> Path:
    with page.expect_download() as download:
        choose(page, kind, chart)
    return Path(download.value.path())


def size(png: bytes) -> tuple[int, ...]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def test_a_chart_is_a_picture_with_its_title_and_values(home: Home, open_page, language: str):
    homes.long(home, 400)
    page, words = open_page(language, permissions=["clipboard-read", "clipboard-write"]), WORDS[language]
    wait_for_drawn(page, 400, 400)
    assert size(saved(page, words["png"], words["chart"]).read_bytes()) == (WIDTH, HEIGHT)
    expect(page.get_by_text(words["saved"])).to_be_visible()

    picture = saved(page, words["svg"], words["chart"]).read_text("utf-8")
    root = xml.fromstring(picture)
    assert root.tag.endswith("svg")
    told = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert f"{words['chart']} · long" in told
    assert len(max((element.get("d", "") for element in root.iter()), key=len)) > 4000, "the curve, point by point"

    choose(page, words["copy"], words["chart"])
    expect(page.get_by_text(words["copied"])).to_be_visible()
    copied = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read()
          return [...new Uint8Array(await (await item.getType('image/png')).arrayBuffer())]
        }"""
    )
    assert size(bytes(copied)) == (WIDTH, HEIGHT)


def test_what_is_seen_is_saved_as_figures(home: Home, open_page, language: str):
    homes.long(home, 400)
    page, words = open_page(language), WORDS[language]
    wait_for_drawn(page, 400, 400)
    drag(page, 0.25, 0.75)
    wait_for_drawn(page, 180, 220)
    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=words["seen"]).click()
    heading, *rows = Path(download.value.path()).read_text("utf-8").splitlines()
    assert heading.split(",")[:6] == ["sequence", "run", "step", "time", "loss", "perplexity"]
    steps = [int(row.split(",")[2]) for row in rows]
    assert 180 <= len(rows) <= 220
    assert steps == list(range(steps[0], steps[0] + len(rows)))
    losses = {step: float(row.split(",")[4]) for step, row in zip(steps, rows, strict=True)}
    assert losses[200] == homes.step(200, 0.0, 400).metrics["loss"]
