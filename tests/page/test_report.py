"""The report: one file that holds its data, lets nothing of it run, and stays small."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re

import pytest

from qstash_fake.__main__ import main
from qstash_fake.page import report
from qstash_fake.page.report import Saved
from qstash_fake.testing import saving
from qstash_fake.testing.fake import QStashFake, inside
from tests.broker.bench import Bench
from tests.shop import JOBS, START_TEXT

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&\u2028"


def data_of(text):
    return json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)[0])


def published(fake, body, **headers):
    names = {f"upstash-{name.replace('_', '-')}": value for name, value in headers.items()}
    pairs = [("authorization", "Bearer x"), *names.items()]
    reply = inside(fake).api.answer("POST", f"/v2/publish/{JOBS}", pairs, body)
    assert reply.status == 201


def test_a_hostile_body_stays_data():
    text = report.page({"messages": [HOSTILE], "title": HOSTILE}, HOSTILE)
    assert text.count("<script") == text.count("</script>") == 2  # the data and the code
    assert data_of(text) == {"messages": [HOSTILE], "title": HOSTILE}
    assert "<img" not in text
    assert f"<title>{html.escape(HOSTILE)}</title>" in text


def test_the_policy_of_a_report_names_its_script_and_its_style_by_their_hashes():
    text = report.page({}, "t")
    code = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (code, style)]
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_save_report_writes_what_happened_and_the_command_line_prints_it(tmp_path, capsys):
    with QStashFake(start=START_TEXT) as fake:
        published(fake, b'{"order": 7}', delay="5m")
        fake.on(JOBS).respond_with([503, 200])
        fake.drain()
        path = fake.save_report(tmp_path / "new" / "report.html")
        timeline = fake.timeline()
    assert path == tmp_path / "new" / "report.html"
    data = data_of(path.read_text(encoding="utf-8"))
    (message,) = data["messages"]
    assert [attempt["status"] for attempt in message["attempts"]] == [503, 200]
    assert data["details"][message["id"]]["body"] == '{"order": 7}'
    assert main(["timeline", str(path)]) == 0
    assert capsys.readouterr().out == f"qstash_fake\n\n{timeline}\n"


def test_a_report_shows_nothing_that_is_redacted(tmp_path):
    with QStashFake(start=START_TEXT) as fake:
        published(fake, b"my-secret", redact_fields="body", retries="0")
        fake.on(JOBS).respond(500)
        fake.drain()
        text = fake.save_report(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "my-secret" not in text
    assert "REDACTED:" in text


def test_a_large_history_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(saving, "MAX_BYTES", 60_000)
    bench = Bench()
    for number in range(600):
        bench.publish(f"{number} " + "x" * 3_000, delay="1h")
    data = saving.data(bench.broker, "t")
    assert len(json.dumps(data)) <= 60_000
    assert data["left_out"] == "the oldest 580 of 600 messages are left out"
    assert data["cut"] == "texts are cut at 100 characters"
    assert data["messages"][-1]["body"].startswith("599 ")
    assert data["details"].keys() == {row["id"] for row in data["messages"]}


def test_a_small_history_is_whole():
    bench = Bench()
    bench.publish("a")
    assert saving.data(bench.broker, "t")["left_out"] is None


def test_the_index_leads_to_every_report_of_the_folder(tmp_path):
    (tmp_path / "a.html").write_text(report.page({}, "tests/test_a.py::test[<b>]"), encoding="utf-8")
    (tmp_path / "index.html").write_text(report.index([]), encoding="utf-8")
    (tmp_path / "mine.html").write_text("<p>a page of the user's</p>", encoding="utf-8")
    assert report.saved_in(tmp_path) == [Saved("a.html", "tests/test_a.py::test[<b>]")]
    text = report.index(report.saved_in(tmp_path))
    assert '<h1>1 failing test</h1><ul><li><a href="a.html">tests/test_a.py::test[&lt;b&gt;]</a></li></ul>' in text


def test_the_command_lists_the_reports_that_an_index_names(tmp_path, capsys):
    index = tmp_path / "index.html"
    saved = [Saved("b.html", "test_a.py::test[<b>]", 'assert "a" < 1'), Saved("a.html", "test_a.py::test")]
    index.write_text(report.index(saved), encoding="utf-8")
    assert main(["timeline", str(index)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{index} is the index of these reports:",
        "",
        f"{tmp_path / 'a.html'}",
        "  test_a.py::test",
        "",
        f"{tmp_path / 'b.html'}",
        '  test_a.py::test[<b>]: assert "a" < 1',
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("<p>hello</p>", "is no report of qstash_fake: --qstash-fake-report and save_report() make them\n"),
        (None, "No such file or directory\n"),
    ],
)
def test_a_file_that_is_no_report_is_refused_with_a_sentence(tmp_path, capsys, content, error):
    path = tmp_path / "page.html"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert main(["timeline", str(path)]) == 1
    assert capsys.readouterr().err.endswith(error)
