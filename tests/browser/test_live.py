"""The page beside a running server: it lives, asks for a token, survives a restart, and takes no text for HTML."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from qstash_fake import QStashFake
from qstash_fake.testing.fake import inside
from qstash_fake.testing.saving import Failure, save_report
from tests.browser.hostile import BODY, HEADER, MARKUP
from tests.browser.test_looks import fill, tab
from tests.server.conftest import serving
from tests.shop import JOBS


def test_an_empty_page_tells_the_first_step(still, page):
    text = page.locator(".empty").inner_text()
    assert f"export QSTASH_URL='{still.url}'" in text
    for name in ("TOKEN", "CURRENT_SIGNING_KEY", "NEXT_SIGNING_KEY"):
        assert f"export QSTASH_{name}='{still.environment[f'QSTASH_{name}']}'" in text
    assert 'curl -X POST "$QSTASH_URL/v2/publish/http://127.0.0.1:3000/jobs/invoice"' in text


def test_the_example_of_the_readme_by_hand(open_page, destination):
    destination.handle = lambda request: 503 if len(destination.received) == 1 else 200
    with serving("--clock", "virtual", "--route", f"https://shop.example={destination.url}") as running:
        page = open_page(f"{running.url}/_fake/")
        page.get_by_role("button", name="publish by hand").click()
        page.get_by_label("Destination: a URL").fill("https://shop.example/jobs/invoice")
        page.get_by_label("Body", exact=True).first.fill('{"order": 7}')
        page.get_by_label("Delay").fill("5m")
        page.get_by_role("button", name="Publish a message").click()
        tab(page, "Timeline")
        for said in ("retrying, 1 attempt: 503", "delivered, 2 attempts: 503, 200"):
            page.get_by_role("button", name="Next", exact=True).click()
            expect(page.locator(".name .unseen")).to_contain_text(said)
    assert destination.bodies == [b'{"order": 7}'] * 2


def test_what_others_do_is_seen_at_once(still, open_page):
    page = open_page(f"{still.url}/_fake/", script="window.setInterval = () => 0")  # nothing is asked for by the clock
    page.wait_for_selector(".status.live")
    message_id = still.publish(JOBS, b"seen", delay="5m")
    page.wait_for_selector(f'.name[title*="{message_id}"]')
    still.control("advance", duration="5m")
    expect(page.locator(".name .unseen").first).to_have_text(f"POST {JOBS}, delivered, 1 attempt: 200.")
    still.control("reset")
    page.wait_for_selector(".empty")


def test_what_makes_no_event_is_seen_soon(still, page):
    still.client.post("/v2/queues", json={"queueName": "late", "parallelism": 3})
    tab(page, "Queues and keys")
    page.wait_for_selector("td:has-text('late')")


def test_a_server_that_starts_again_is_found_again(open_page):
    with serving("--clock", "virtual") as first:
        page = open_page(f"{first.url}/_fake/", allowed=("ERR_",))
        page.wait_for_selector(".status.live")
        first.publish(JOBS, delay="1h")
        page.wait_for_selector(".name")
        port = str(first.client.base_url.port)
    page.wait_for_selector(".status.reconnecting")
    with serving("--clock", "virtual", "--port", port):
        page.wait_for_selector(".status.live")
        page.wait_for_selector(".empty")


def test_a_token_is_asked_for_and_stays_in_the_tab(open_page):
    with serving("--token", "s3cret", "--clock", "virtual", token="s3cret") as running:
        page = open_page(f"{running.url}/_fake/", allowed=("401",))
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=is not let in")
        page.get_by_label("Token").fill("s3cret")
        page.keyboard.press("Enter")
        page.wait_for_selector(".status.live")
        assert "s3cret" not in page.url + page.content()
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        page.reload()
        page.wait_for_selector(".status.live")
        other = page.context.new_page()
        other.goto(page.url)
        other.wait_for_selector("text=This server asks for a token")


def test_a_real_clock_moves_by_itself_and_says_why_its_buttons_do_not(open_page):
    with serving() as running:
        page = open_page(f"{running.url}/_fake/")
        page.wait_for_selector(".status.live")
        assert page.locator(".notice").inner_text().startswith("this server's clock is real and cannot be moved")
        assert [one.is_disabled() for one in page.locator(".verbs button").all()] == [True] * 4
        before = page.locator(".clock b").inner_text()
        expect(page.locator(".clock b")).not_to_have_text(before)


def test_a_hostile_body_header_answer_and_url_are_text(still, page):
    url = f"{JOBS}/{MARKUP}"
    still.control("routes", url=f"{JOBS}/*", status=500, text=BODY, headers={"X-Evil": HEADER})
    still.publish(url, BODY.encode(), retries="0", forward_x_evil=HEADER, label="x")
    still.control("deliver-due")
    page.wait_for_selector(".name")
    page.locator(".name").first.click()
    page.wait_for_selector(".attempts pre")
    shown = page.locator(".detail").inner_text()
    assert shown.count(BODY) == 2
    assert shown.count(HEADER) == 2
    for name in ("Messages", "Dead letters", "Log"):
        tab(page, name)
        page.wait_for_selector("text=onerror")
    assert page.locator("img, #page script, #page b:text-is('bold')").count() == 0


def test_a_message_is_found_by_its_words_and_its_state(still, page):
    fill(still)
    page.wait_for_selector(".name")
    page.get_by_label("Search messages").fill("broken 500")
    expect(page.locator(".name")).to_have_count(2)
    page.get_by_role("button", name=re.compile("^delivered")).click()
    expect(page.locator(".name")).to_have_count(0)
    page.get_by_label("Search messages").fill("")
    page.get_by_role("button", name=re.compile("^delivered")).click()
    page.get_by_role("button", name=re.compile("^held")).click()
    expect(page.locator(".name")).to_have_count(1)


def test_of_ten_thousand_messages_only_those_in_sight_are_drawn(still, page):
    messages = [{"destination": f"{JOBS}/{number}", "headers": {"Upstash-Delay": "1h"}} for number in range(10_000)]
    assert still.client.post("/v2/batch", json=messages).status_code == 200
    expect(page.locator(".of")).to_have_text("10000 messages")
    assert page.locator(".name").count() < 60
    page.locator(".names").press("End")
    page.wait_for_selector(f'.name[title*="{JOBS}/9999"]')
    tab(page, "Messages")
    assert page.locator("tbody tr").count() < 60
    page.get_by_label("Search messages").fill("jobs/7777")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_run_shows_its_steps_and_can_be_cancelled(still, page):
    from tests.workflows import URL, marks

    still.control("routes", url=URL, status=200, headers={"Upstash-Workflow-Sdk-Version": "1"})
    still.client.post(f"/v2/publish/{URL}", headers=marks("wfr_1", init=True), content=b"payload")
    tab(page, "Workflows")
    page.wait_for_selector(".steps >> text=init")
    assert "start" in page.locator(".run-lanes .name").inner_text()
    page.get_by_role("button", name="Cancel the run").click()
    page.wait_for_selector(".run >> text=cancelled")


def test_a_long_body_is_shown_in_part_until_all_of_it_is_asked_for(still, page):
    still.publish(JOBS, b"x" * 300_000)
    page.locator(".name").first.click()
    body = page.locator(".detail .text pre")
    expect(body).to_have_text("x" * 100_000 + "…")
    page.get_by_role("button", name="Show all 300000 characters").click()
    expect(body).to_have_text("x" * 300_000)


def test_an_attempt_without_an_answer_shows_none(still, page):
    still.control("routes", url=f"{JOBS}/off", refuse_connection=True)
    still.publish(f"{JOBS}/off", retries="0")
    still.control("deliver-due")
    page.locator(".name").first.click()
    page.wait_for_selector(".attempts .problem")
    assert page.locator(".attempts h4").count() == 0


def test_a_step_that_sleeps_is_not_done(still, page):
    from tests.workflows import URL, a_step, marks

    still.control("routes", url=URL, status=200, headers={"Upstash-Workflow-Sdk-Version": "1"})
    still.client.post(f"/v2/publish/{URL}", headers=marks("wfr_1", init=True))
    still.control("deliver-due")
    sleep = {"Upstash-Delay": "11d"}
    step = a_step(1, "trial", stepType="SleepFor", sleepFor="11d")
    still.client.post(f"/v2/publish/{URL}", headers=marks("wfr_1") | sleep, content=step)
    tab(page, "Workflows")
    expect(page.locator(".steps .state")).to_have_text(["done", "sleeping", "to come"])
    still.control("advance", duration="11d")
    expect(page.locator(".steps .state").nth(1)).to_have_text("done")


@pytest.mark.parametrize("name", ["Timeline", "Messages", "Dead letters"])
def test_a_saved_report_shows_the_same_without_a_server(saved, open_page, name):
    page = open_page(saved.as_uri())
    tab(page, name)
    page.locator(".name, button.link").first.click()
    page.wait_for_selector(".attempts pre")
    shown = page.locator(".detail").inner_text()
    assert shown.count(BODY) == 3  # the message, and the answers to both attempts
    assert HEADER in shown
    assert page.locator(".detail .acts button, .verbs").count() == 0
    assert "top-secret" not in page.content()
    assert page.locator("img").count() == 0


def test_a_saved_report_says_why_its_test_has_failed(tmp_path, open_page):
    with QStashFake(start="2026-01-01T00:00:00Z") as fake:
        path = save_report(inside(fake), tmp_path / "r.html", "test_it", Failure(f"assert {BODY!r}", f"E  {BODY}\nend"))
    page = open_page(path.as_uri())
    assert page.locator(".failure summary").inner_text() == f"assert {BODY!r}"
    assert not page.locator(".failure pre").is_visible()
    page.locator(".failure summary").press("Enter")
    assert page.locator(".failure pre").inner_text() == f"E  {BODY}\nend"
    assert page.locator("img").count() == 0
