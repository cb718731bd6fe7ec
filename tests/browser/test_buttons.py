"""Each button does what it says: those beside the clock, those of the rows, and every form of the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, expect

from qstash_fake.broker.keys import dev_keys
from qstash_fake.page.files import files
from tests.browser.test_looks import tab
from tests.server.conftest import Running
from tests.server.waits import eventually
from tests.shop import JOBS

Check = Callable[[Running], Any]


def attempts(server: Running) -> list[list[int]]:
    return [[one["status"] for one in message["attempts"]] for message in server.state["messages"]]


def said(page: Page, text: str) -> None:
    expect(page.locator(".said")).to_contain_text(text)


def test_the_verbs_beside_the_clock(still, open_page):
    page = open_page(f"{still.url}/_fake/", allowed=("status of 400",))
    still.control("routes", url=f"{JOBS}/busy", respond_with=[503, 200])
    still.publish(f"{JOBS}/busy", delay="5m")
    page.wait_for_selector(".name")
    page.get_by_role("button", name="Deliver due").click()
    said(page, "0 attempts")
    page.get_by_role("button", name="Next", exact=True).click()
    said(page, "1 attempt, 0 delivered")
    page.get_by_label("Advance by").fill("11s")
    page.get_by_role("button", name="Advance", exact=True).click()
    said(page, "0 attempts")
    assert attempts(still) == [[503]]
    page.get_by_role("button", name="Drain").click()
    said(page, "1 attempt, 1 delivered")
    assert attempts(still) == [[503, 200]]
    page.get_by_label("Advance by").fill("soon")
    page.keyboard.press("Enter")
    said(page, "invalid duration 'soon'")
    assert page.locator(".said").get_attribute("role") == "alert"


def test_the_buttons_of_a_message(still, page):
    first, second = still.publish(JOBS, delay="1h"), still.publish(JOBS, delay="1h")
    tab(page, "Messages")
    page.get_by_label(f"Deliver {first}").click()
    eventually(lambda: still.message(first)["state"] == "DELIVERED", "the delivery")
    page.get_by_label(f"Cancel {second}").click()
    eventually(lambda: still.message(second)["state"] == "CANCELED", "the cancel")


def test_the_buttons_of_a_message_that_is_looked_at(still, page):
    still.control("routes", url=f"{JOBS}/broken", status=500)
    message = still.publish(f"{JOBS}/broken", retries="1")
    page.locator(".name").first.click()
    page.get_by_role("button", name="Deliver it now").click()
    page.wait_for_selector(".detail >> text=retrying")
    page.get_by_role("button", name="Deliver until it ends").click()
    page.wait_for_selector(".detail .state.failed")
    assert still.message(message)["state"] == "FAILED"
    page.get_by_role("button", name="Redrive it").click()
    page.get_by_role("button", name=re.compile("^led to")).click()
    page.get_by_role("button", name="Cancel it").click()
    eventually(lambda: still.state["messages"][1]["state"] == "CANCELED", "the cancel")


def test_the_buttons_of_dead_letters(still, page):
    still.control("routes", url=f"{JOBS}/broken", status=500)
    for _ in range(4):
        still.publish(f"{JOBS}/broken", retries="0")
    still.control("deliver-due")
    first, second, *_ = [dead["dlqId"] for dead in still.state["dead_letters"]]
    tab(page, "Dead letters")
    page.get_by_label(f"Redrive {first}").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_label(f"Delete {second}").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Redrive all dead letters").click()
    page.wait_for_selector("text=No message has failed for good.")
    assert [message["state"] for message in still.state["messages"]].count("CREATED") == 3


def test_the_buttons_of_queues_keys_and_groups(still, page):
    still.client.post("/v2/queues", json={"queueName": "jobs", "parallelism": 1})
    still.publish(JOBS, flow_control_key="shop", flow_control_value="rate=1", delay="1h")
    still.client.post("/v2/flowControl/shop/pin?rate=5")
    still.client.post("/v2/topics/news/endpoints", json={"endpoints": [{"url": JOBS}]})
    tab(page, "Queues and keys")

    def click(label: str, check: Check) -> None:
        page.get_by_label(label, exact=True).click()
        eventually(lambda: check(still), label)

    click("Pause queue jobs", lambda server: server.state["queues"][0]["paused"])
    click("Resume queue jobs", lambda server: not server.state["queues"][0]["paused"])
    click("Pause key shop", lambda server: server.state["flow_control"][0]["isPaused"])
    click("Resume key shop", lambda server: not server.state["flow_control"][0]["isPaused"])
    click("Reset rate key shop", lambda server: server.state["flow_control"][0]["rateCount"] == 0)
    click("Unpin key shop", lambda server: not server.state["flow_control"][0]["isPinnedRate"])
    click("Delete queue jobs", lambda server: server.state["queues"] == [])
    click("Delete group news", lambda server: server.state["url_groups"] == [])


def test_the_buttons_of_a_schedule(still, page):
    still.client.post(f"/v2/schedules/{JOBS}", headers={"upstash-cron": "0 0 * * *", "upstash-schedule-id": "nightly"})
    tab(page, "Schedules")
    page.get_by_label("Trigger schedule nightly").click()
    eventually(lambda: len(still.state["messages"]) == 1, "the message")
    page.get_by_label("Pause schedule nightly").click()
    page.wait_for_selector("td:text-is('paused')")
    assert still.state["schedules"][0]["isPaused"]
    page.get_by_label("Resume schedule nightly").click()
    page.wait_for_selector("td .tick")
    page.get_by_label("Delete schedule nightly").click()
    page.wait_for_selector("text=No schedule was made.")


class Case(NamedTuple):
    """A form that is filled and sent, before that what it needs, and what must hold then."""

    values: dict[str, str]
    check: Check
    before: Check = lambda server: None


def calls(server: Running) -> int:
    return int(server.client.get("/v2/queues").status_code)


def is_delivered(server: Running) -> bool:
    return attempts(server) == [[200]]


def published_late(server: Running) -> str:
    return server.publish(JOBS, delay="1h")


def with_a_run(server: Running) -> None:
    from tests.workflows import URL, a_wait, marks

    server.control("routes", url=URL, status=200, headers={"Upstash-Workflow-Sdk-Version": "1"})
    server.client.post(f"/v2/publish/{URL}", headers=marks("wfr_1", init=True), content=b"payload")
    server.client.post("/v2/wait/approved", headers=marks("wfr_1"), json=a_wait())


def key_shop(server: Running) -> dict[str, Any]:
    shown: dict[str, Any] = server.client.get("/v2/flowControl/shop").json()
    return shown


FORMS = {
    "Publish a message": Case(
        {
            "destination": JOBS,
            "body": '{"order": 7}',
            "delay": "5m",
            "retries": "1",
            "label": "invoice",
            "key": "shop",
            "limits": "rate=1",
            "callback": f"{JOBS}/done",
            "more": "Upstash-Forward-X-Trace: 17",
        },
        lambda server: (
            [
                (one["body"], one["maxRetries"], one["labels"], one["flowControlKey"], one["callback"], one["header"])
                for one in server.state["messages"]
            ]
            == [
                (
                    '{"order": 7}',
                    1,
                    ["invoice"],
                    "shop",
                    f"{JOBS}/done",
                    {"Content-Type": ["application/json"], "X-Trace": ["17"]},
                )
            ]
        ),
    ),
    "Advance": Case({"duration": "1h"}, is_delivered, published_late),
    "Advance to": Case({"time": "2099-01-01T00:00:00Z"}, lambda server: server.state["now"] == "2099-01-01T00:00:00Z"),
    "Advance to next": Case({}, is_delivered, published_late),
    "Advance until": Case({"message": "<id>"}, is_delivered, published_late),
    "Deliver due": Case({}, is_delivered, lambda server: server.publish(JOBS)),
    "Deliver": Case({"message": "<id>"}, is_delivered, published_late),
    "Drain": Case({"limit": "5"}, is_delivered, published_late),
    "Answer a URL": Case(
        {"url": f"{JOBS}/new", "list": "503, 200", "times": "2"},
        lambda server: server.client.get("/_fake/routes").json()["routes"][-1]["respond_with"] == [503, 200],
    ),
    "Show the answers": Case({}, lambda server: True),
    "Forget the answers": Case({}, lambda server: server.client.get("/_fake/routes").json() == {"routes": []}),
    "Duplicate next": Case(
        {"url": JOBS},
        lambda server: server.control("deliver-due")["attempts"][0]["lost"],
        lambda server: server.publish(JOBS),
    ),
    "Set a plan of faults": Case(
        {"plan": "lost@/jobs#1.1"},
        lambda server: server.client.get("/_fake/plan").json()["plan"] == "lost@/jobs#1.1",
    ),
    "Show the plan": Case({}, lambda server: True, lambda server: server.control("plan", plan="")),
    "Fail": Case({"kind": "503", "times": "1"}, lambda server: calls(server) == 503),
    "Drop connection": Case({"times": "0"}, lambda server: calls(server) == 200),
    "Rotate keys": Case({}, lambda server: server.client.get("/v2/keys").json()["current"] != dev_keys()[0]),
    "Show keys": Case({}, lambda server: True),
    "Make a queue": Case(
        {"name": "jobs", "parallelism": "3"}, lambda server: server.state["queues"][0]["parallelism"] == 3
    ),
    "Make a schedule": Case(
        {"destination": JOBS, "cron": "0 9 * * *", "id": "daily", "body": "hi"},
        lambda server: (
            [(one["scheduleId"], one["cron"], one["body"]) for one in server.state["schedules"]]
            == [("daily", "0 9 * * *", "hi")]
        ),
    ),
    "Trigger a schedule": Case(
        {"schedule": "s"},
        lambda server: len(server.state["messages"]) == 1,
        lambda server: server.client.post(
            f"/v2/schedules/{JOBS}", headers={"upstash-cron": "0 0 * * *", "upstash-schedule-id": "s"}
        ),
    ),
    "Add to a URL group": Case(
        {"group": "news", "url": JOBS, "name": "first"},
        lambda server: server.state["url_groups"][0]["endpoints"] == [{"url": JOBS, "name": "first"}],
    ),
    "Pin a key": Case(
        {"key": "shop", "rate": "5", "period": "60"},
        lambda server: (key_shop(server)["rateMax"], key_shop(server)["isPinnedRate"]) == (5, True),
    ),
    "Notify": Case(
        {"event": "approved", "data": '{"by": "ada"}'},
        lambda server: server.client.get("/v2/waiters/approved").json() in ([], None),
        with_a_run,
    ),
    "Reset": Case({}, lambda server: server.state["messages"] == [], lambda server: server.publish(JOBS)),
}


@pytest.mark.parametrize("title", FORMS)
def test_a_form_does_what_it_says(still, page, title):
    case = FORMS[title]
    made = case.before(still)
    tab(page, "Control")
    form = page.locator("form", has=page.locator(f"h3:text-is('{title}')"))
    for name, value in case.values.items():
        form.locator(f"[name={name}]").fill(str(made) if value == "<id>" else value)
    form.locator("button[type=submit]").click()
    if title == "Reset":
        assert len(still.state["messages"]) == 1  # it asks first
        form.get_by_role("button", name="Yes, forget everything").click()
    form.locator(".answer").wait_for()
    assert form.locator(".answer.problem").count() == 0, form.locator(".answer").inner_text()
    eventually(lambda: case.check(still), title)


def test_what_a_form_is_refused_is_said_beside_it(still, open_page):
    page = open_page(f"{still.url}/_fake/", allowed=("status of 400",))
    tab(page, "Control")
    form = page.locator("form", has=page.locator("h3:text-is('Answer a URL')"))
    form.locator("[name=url]").fill("shop")
    form.locator("[name=status]").fill("200")
    form.locator("button[type=submit]").click()
    expect(form.locator(".answer.problem")).to_contain_text("'shop' is no URL")


def test_every_form_of_the_page_and_every_operation_is_in_these_tests():
    forms = files()["forms.js"]
    assert set(re.findall(r'title: "([^"]+)"', forms)) == set(FORMS)


def test_every_operation_of_the_control_api_can_be_asked_for_on_the_page():
    from qstash_fake.server.operations import OPERATIONS

    shown = "".join(text for name, text in files().items() if name.endswith(".js"))
    read_otherwise = {"state", "workflows"}  # what the picture brings
    assert {name for name in OPERATIONS if f"/_fake/{name}" not in shown} == read_otherwise
