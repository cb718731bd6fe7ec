"""The page as people see it: without a mouse, on a narrow screen, in the dark, with a screen reader."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.shop import JOBS

TABS = ["Timeline", "Messages", "Workflows", "Queues and keys", "Schedules", "Dead letters", "Log", "Control"]


def fill(server):
    """Publish what fills every table."""
    server.control("routes", url="https://shop.example/broken", status=500)
    server.publish(JOBS, b'{"order": 7}', delay="5m", callback=f"{JOBS}/done", label="invoice")
    server.publish("https://shop.example/broken", retries="1", retry_delay="1000")
    server.publish("https://shop.example/broken", retries="0")
    server.publish(JOBS, delay="2h")
    server.client.post("/v2/queues", json={"queueName": "archive", "paused": True})
    server.client.post(f"/v2/enqueue/archive/{JOBS}")
    server.publish(JOBS, flow_control_key="shop", flow_control_value="rate=1, period=60")
    server.client.post("/v2/topics/news/endpoints", json={"endpoints": [{"url": JOBS}]})
    server.client.post(f"/v2/schedules/{JOBS}", headers={"upstash-cron": "0 * * * *", "upstash-schedule-id": "hourly"})
    server.control("advance", duration="6m")


def tab(page, name):
    page.locator(".tabs button", has_text=name).click()


def violations(page, axe):
    """What axe-core finds serious or critical, in words."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_checker_of_accessibility_finds_nothing_serious(still, open_page, axe, scheme):
    page = open_page(f"{still.url}/_fake/", color_scheme=scheme)
    page.wait_for_selector(".empty")
    found = {"empty": violations(page, axe)}
    fill(still)
    page.wait_for_selector(".name")
    for name in TABS:
        tab(page, name)
        page.wait_for_timeout(150)
        found[name] = violations(page, axe)
    tab(page, "Timeline")
    page.locator(".name").first.click()
    page.wait_for_selector(".attempts summary")
    found["detail"] = violations(page, axe)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_light_and_dark_follow_the_system(still, open_page):
    def ink_on_paper(scheme):
        page = open_page(f"{still.url}/_fake/", color_scheme=scheme)
        page.wait_for_selector(".status.live")
        return page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")

    assert ink_on_paper("light") == ["rgb(27, 34, 48)", "rgb(255, 255, 255)"]
    assert ink_on_paper("dark") == ["rgb(228, 232, 239)", "rgb(18, 21, 27)"]


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_shows_everything_without_a_sideways_scroll(still, open_page, width):
    fill(still)
    page = open_page(f"{still.url}/_fake/", viewport={"width": width, "height": 740})
    page.wait_for_selector(".name")
    for name in TABS:
        tab(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    tab(page, "Timeline")
    page.locator(".name").first.click()
    box = page.locator(".detail").bounding_box()
    assert (box["x"], box["width"]) == ((0, width) if width < 900 else box)
    page.get_by_label("Close the message").click()
    assert page.locator(".detail").count() == 0


def test_without_a_mouse_a_message_is_published_delivered_and_looked_at(still, page):
    def press(*keys):
        for key in keys:
            page.keyboard.press(key)

    def tab_to(name):
        for _ in range(300):  # once around, past every field of the forms
            press("Tab")
            if page.evaluate("document.activeElement.textContent || document.activeElement.name").strip() == name:
                return
        pytest.fail(f"Tab does not come to {name}")

    tab_to("publish by hand")
    press("Enter")
    tab_to("destination")
    page.keyboard.type(JOBS)
    press("Enter")
    page.wait_for_selector(".said >> text=done")
    assert len(still.state["messages"]) == 1
    tab_to("Next")
    press("Enter")
    page.wait_for_selector(".said >> text=1 delivered")
    tab_to("Timeline")
    press("Enter")
    for _ in range(30):
        press("Tab")
        if page.evaluate("document.activeElement.className") == "names":
            break
    press("ArrowDown", "Home", "Enter")
    page.wait_for_selector(".detail h2:focus")
    assert JOBS in page.locator(".detail h2").inner_text()
    press("Escape")
    assert page.locator(".detail").count() == 0
    assert page.evaluate("document.activeElement.className") == "names"


def test_keys_zoom_pan_and_fit_the_lanes(still, page):
    fill(still)
    page.locator(".names").focus()

    def axis():
        return page.locator(".axis g text").all_text_contents()

    before = axis()
    page.keyboard.press("+")
    zoomed = axis()
    page.keyboard.press("ArrowRight")
    panned = axis()
    page.keyboard.press("0")
    assert before != zoomed
    assert zoomed != panned
    assert axis() == before


def test_a_drag_over_the_strip_shows_that_part(still, page):
    fill(still)
    page.wait_for_selector(".strip .good")
    box = page.locator(".strip").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 30, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, middle, steps=4)
    page.mouse.up()
    assert page.get_by_role("button", name="Fit").is_enabled()
    shown = page.locator(".strip-view").bounding_box()
    assert shown["width"] == pytest.approx(60, abs=4)


def test_whoever_looks_at_now_goes_with_it(still, page):
    fill(still)
    page.wait_for_selector(".name")
    page.locator(".names").focus()
    for key in ("+", "+", "+", "+", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)

    def is_in_sight():
        return page.evaluate("""() => {
            const now = document.querySelector(".axis .now").getBoundingClientRect();
            const lanes = document.querySelector(".lanes-body").getBoundingClientRect();
            const names = document.querySelector(".names").getBoundingClientRect();
            return now.x > names.right && now.right < lanes.right;
        }""")

    for _ in range(40):
        if is_in_sight():
            break
        page.keyboard.press("ArrowLeft")
    assert is_in_sight()
    before = page.locator(".clock b").inner_text()
    still.control("advance", duration="1h")
    expect(page.locator(".clock b")).not_to_have_text(before)
    assert is_in_sight()


def test_a_note_stands_on_the_axis(still, page):
    still.client.post(f"/v2/schedules/{JOBS}", headers={"upstash-cron": "* * * * *", "upstash-schedule-id": "often"})
    still.publish(JOBS, delay="10m")
    still.control("drain")
    expect(page.locator(".axis .note title").last).to_have_text("schedule often skipped 10 ticks")


def test_names_say_in_a_sentence_what_the_lanes_draw(still, page):
    fill(still)
    page.wait_for_selector(".name")
    sentences = page.locator(".name .unseen").all_text_contents()
    assert f"POST {JOBS}, delivered, 1 attempt: 200. " in sentences
    assert "POST https://shop.example/broken, failed, 2 attempts: 500, 500. " in sentences
    assert f"POST {JOBS}, held: queue 'archive' is paused, no attempt yet. " in sentences
