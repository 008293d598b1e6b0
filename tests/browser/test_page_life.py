"""What happens to a page in its life: an empty home, a restart beneath it, a history taken away as a file."""

from __future__ import annotations

import re
import threading

import pytest

from stepline.app import App
from stepline.demo import recorded
from stepline.home import Home
from tests.browser import homes

expect = pytest.importorskip("playwright.sync_api", reason="playwright is missing: make setup").expect


def kept(page, name: str):
    """Waits until this setting was written: the page writes others too, such as the task that it shows."""
    return page.expect_response(
        lambda answer: answer.url.endswith("/api/settings") and name in (answer.request.post_data_json or {})
    )


@pytest.mark.parametrize(("language", "button"), [("en", "Run the demo"), ("zh", "运行演示")])
def test_an_empty_home_offers_the_demo(home: Home, open_page, language: str, button: str):
    page = open_page(language)
    expect(page.get_by_test_id("empty-home")).to_contain_text("SteplineCallback()")
    with page.expect_request("**/api/demo"):
        page.get_by_role("button", name=button).click()
    # Whichever demo it is; a recorded one is quicker to see here than a training.
    recorded.play(home, threading.Event(), secs_per_step=0)
    expect(page.get_by_test_id("chart-loss")).to_be_visible()


def test_an_open_page_comes_back_by_itself_after_a_restart_and_catches_up(home: Home, open_page, app: App):
    head = homes.header("seed")
    homes.write(home, head, [homes.step(n, head.time) for n in (10, 20, 30)])
    page = open_page()
    # No page comes back without its key, and the first picture is there before the key is.
    with page.expect_response("**/api/return-key"):
        page.reload()
    expect(page.get_by_test_id("chart-loss").get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(" 3 points")
    )
    before = app.token
    app.stop()
    expect(page.get_by_test_id("disconnected")).to_be_visible()
    homes.write(home, head, [homes.step(n, head.time) for n in (10, 20, 30, 40, 50)])
    again = App(home)
    again.start()
    try:
        assert again.token != before
        expect(page.get_by_test_id("disconnected")).to_have_count(0)
        image = page.get_by_test_id("chart-loss").get_by_role("img")
        expect(image).to_have_attribute("aria-label", re.compile(" 5 points"))
    finally:
        again.stop()


REFUSED = {"en": "The token in the address is not this Stepline's", "zh": "这个地址打不开 Stepline"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_address_of_an_earlier_start_says_what_to_do(open_page, app: App, language: str):
    page = open_page(language)
    page.goto(f"{app.address}/?token=of-an-earlier-start")
    expect(page.get_by_role("heading").first).to_have_text(REFUSED[language])
    expect(page.get_by_role("heading")).to_have_count(2)  # the other language follows


@pytest.mark.parametrize(
    ("language", "said", "retry"), [("en", "Something failed", "Try again"), ("zh", "内部出错", "重试")]
)
def test_a_failure_says_what_to_do_and_goes_on_from_there(home: Home, open_page, language: str, said: str, retry: str):
    homes.one_of_each(home)
    page = open_page(language)
    expect(page.get_by_test_id("task-selector")).to_contain_text("running one")
    failed = {"error": {"code": "error", "what": "A test broke it", "why": "", "action": "", "lost": None}}
    broken = re.compile(r"/api/tasks/[^/]+/?(facts)?$")
    page.route(broken, lambda route: route.fulfill(status=500, json=failed))
    page.get_by_test_id("task-selector").click()
    page.get_by_role("option").filter(has_text="stopped one").click()
    error = page.get_by_test_id("error")
    expect(error).to_contain_text(said)
    expect(error).to_contain_text("A test broke it")
    page.unroute(broken)
    page.get_by_role("button", name=retry).click()
    expect(page.get_by_test_id("chart-loss").get_by_role("img")).to_have_attribute("data-points", "1")
    expect(error).to_have_count(0)


def test_language_theme_and_smoothing_are_kept(open_page, app: App):
    page = open_page("en", color_scheme="light")
    expect(page.get_by_test_id("demo")).to_be_visible()
    page.keyboard.press("3")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    with kept(page, "language"):
        page.get_by_test_id("language-zh").click()
    expect(root).to_have_attribute("lang", "zh-CN")
    with kept(page, "theme"):
        page.get_by_test_id("theme-dark").click()
    with kept(page, "ma"):
        page.locator(".average").nth(1).get_by_role("checkbox").click()
    page.reload()
    expect(root).to_have_attribute("lang", "zh-CN")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(page.locator(".average").nth(1).get_by_role("checkbox")).not_to_be_checked()


@pytest.mark.parametrize(("asked", "secs"), [("no-preference", "0.12s"), ("reduce", "0s")])
def test_nothing_moves_where_the_system_asks_for_less_motion(open_page, asked: str, secs: str):
    page = open_page(reduced_motion=asked)
    expect(page.get_by_test_id("demo")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_test_id("help-sheet")).to_be_visible()
    moves = page.evaluate(
        """() => [...document.querySelectorAll('*')].flatMap((element) => {
          const { animationName, transitionDuration } = getComputedStyle(element)
          return [...transitionDuration.split(', '), ...(animationName === 'none' ? [] : [animationName])]
        })"""
    )
    assert set(moves) - {"0s"} == {secs} - {"0s"}


def test_every_record_is_taken_away_as_csv(home: Home, open_page):
    homes.long(home, 6000)
    page = open_page()
    page.get_by_test_id("export").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-csv").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert len(lines) == 6000 + 2 + 1, "every step, start and end, and the heading"


def test_the_mean_speed_of_a_review_is_exact(home: Home, open_page, app: App):
    homes.long(home, 6000)
    page = open_page()
    mean = sum(400.0 + n % 7 for n in range(1, 6001)) / 6000
    expect(page.get_by_test_id("figure-samples_per_second")).to_contain_text(f"{mean:.0f}")
    (task,) = app.store.tasks()
    assert app.detail(task.id)["mean_speed"] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(("language", "name"), [("en", "Log"), ("zh", "对数")])
def test_a_chart_can_be_drawn_by_powers_of_ten(home: Home, open_page, language: str, name: str):
    homes.long(home, 500)
    page = open_page(language)
    box = page.get_by_role("checkbox", name=name, exact=True)
    expect(box).not_to_be_checked()
    with kept(page, "logarithmic") as settings:
        box.click()
    expect(box).to_be_checked()
    assert settings.value.request.post_data_json["logarithmic"] is True


@pytest.mark.parametrize(("language", "switch"), [("en", "Keep them"), ("zh", "保留")])
def test_the_switch_for_journals_is_kept(open_page, app: App, language: str, switch: str):
    page = open_page(language)
    expect(page.get_by_test_id("demo")).to_be_visible()
    page.keyboard.press("3")
    box = page.get_by_role("checkbox", name=switch)
    expect(box).not_to_be_checked()
    with kept(page, "keepJournals"):
        box.click()
    assert app.store.setting("keepJournals") is True
    page.reload()
    expect(box).to_be_checked()
