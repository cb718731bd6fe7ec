"""The page of the server: served without a token to whoever opens it, and what it asks the server for."""

from __future__ import annotations

import sys

import httpx
import pytest

from qstash_fake.page.files import files
from tests.server.waits import WITHIN_S, eventually
from tests.shop import JOBS


def get(server, path, **headers):
    return httpx.get(f"{server.url}{path}", headers=headers, trust_env=False, timeout=WITHIN_S)


def test_the_page_and_its_files_are_served_without_a_token(still):
    page = get(still, "/_fake/")
    assert (page.status_code, page.text) == (200, files()["index.html"])
    for name, text in files().items():
        answer = get(still, f"/_fake/static/{name}", **{"sec-fetch-site": "same-origin"})
        assert (answer.status_code, answer.text) == (200, text)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert get(still, "/_fake/static/main.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert (get(still, "/_fake").status_code, get(still, "/_fake").headers["location"]) == (308, "/_fake/")


@pytest.mark.parametrize("name", ["%2e%2e/files.py", "vendor/LICENSE.htm", ""])
def test_nothing_but_the_files_of_the_page_is_served(still, name):
    assert get(still, f"/_fake/static/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/_fake/", "/_fake/static/main.js"])
def test_a_page_from_elsewhere_gets_none_of_it(still, path):
    assert get(still, path, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert get(still, path, host="evil.example").status_code == 403


def test_what_the_page_asks_for_needs_a_token(still):
    assert get(still, "/_fake/picture").status_code == 401


def test_a_picture_brings_what_has_changed_since_the_last(still):
    first = still.publish(JOBS, b"first", delay="1h")
    whole = still.client.get("/_fake/picture").json()
    assert ([row["id"] for row in whole["messages"]], whole["whole"]) == ([first], True)
    assert (whole["fixed_clock"], whole["runs_by_itself"]) == (None, False)
    second = still.publish(JOBS, b"second", delay="1h")
    change = still.client.get("/_fake/picture", params={"after": whole["place"]}).json()
    assert ([row["id"] for row in change["messages"]], change["whole"], change["total"]) == ([second], False, 2)
    still.control("reset")
    new = still.client.get("/_fake/picture", params={"after": change["place"]}).json()
    assert (new["whole"], new["total"]) == (True, 0)


def test_a_real_clock_says_that_it_cannot_be_moved(server):
    picture = server.client.get("/_fake/picture").json()
    assert picture["fixed_clock"].startswith("this server's clock is real and cannot be moved")
    assert picture["runs_by_itself"] is True


def test_the_detail_of_a_message(still):
    still.control("routes", url=JOBS, status=500, text="no")
    message_id = still.publish(JOBS, b"hello", retries="0")
    still.control("deliver-due")
    detail = still.client.get("/_fake/message", params={"id": message_id}).json()
    assert (detail["body"], detail["attempts"][0]["body"]) == ("hello", "no")
    refused = still.client.get("/_fake/message", params={"id": "msg_0"})
    assert (refused.status_code, refused.json()) == (404, {"error": "no message has the id msg_0"})


def test_deliver_makes_the_next_attempt_of_one_message_at_once(still):
    still.control("routes", url=JOBS, status=200)
    message_id = still.publish(JOBS, delay="1h")
    other = still.publish(JOBS)
    assert still.control("deliver", message=message_id)["delivered"] == [message_id]
    assert still.state["pending"] == [other]
    again = still.client.post("/_fake/deliver", json={"message": message_id})
    assert again.status_code == 400
    assert again.json()["error"].endswith("has ended: there is no attempt left to deliver")


def test_trigger_lets_a_schedule_fire_at_once(still):
    headers = {"upstash-cron": "0 0 * * *", "upstash-schedule-id": "nightly"}
    still.client.post(f"/v2/schedules/{JOBS}", headers=headers)
    (fired,) = still.control("trigger", schedule="nightly")["fired"]
    assert still.message(fired)["scheduleId"] == "nightly"
    assert still.client.post("/_fake/trigger", json={"schedule": "s"}).json() == {"error": "no schedule has the id s"}


def test_open_opens_the_page(serving, tmp_path):
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])\n")
    browser.chmod(0o755)
    with serving("--open", BROWSER=f"{browser} %s") as running:
        eventually(lambda: opened.is_file() and opened.read_text(), "a browser")
        assert opened.read_text() == f"{running.url}/_fake/"
