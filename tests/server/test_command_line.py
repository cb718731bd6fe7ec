"""`qstash-fake serve`: what it prints, what it refuses, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from qstash_fake.__main__ import main
from qstash_fake.server.serve import Settings, serve
from tests.server.waits import WITHIN_S, eventually

DEV_TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="


def test_the_four_variables_are_printed_ready_to_paste(serving):
    with serving() as running:
        assert running.lines[:7] == [
            f"qstash-fake listens on {running.url}, its clock is real; stop it with Ctrl-C",
            "",
            f"QSTASH_URL={running.url}",
            f"QSTASH_TOKEN={DEV_TOKEN}",
            "QSTASH_CURRENT_SIGNING_KEY=sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
            "QSTASH_NEXT_SIGNING_KEY=sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
            "",
        ]


def test_secrets_are_not_printed(serving):
    keys = {"QSTASH_CURRENT_SIGNING_KEY": "sig_mine", "QSTASH_NEXT_SIGNING_KEY": "sig_my_next"}
    with serving("--token", "s3cret", token="s3cret", **keys) as running:
        assert running.environment == {
            "QSTASH_URL": running.url,
            "QSTASH_TOKEN": "<the token you gave>",
            "QSTASH_CURRENT_SIGNING_KEY": "<the one of your environment>",
            "QSTASH_NEXT_SIGNING_KEY": "<the one of your environment>",
        }
        assert running.client.get("/v2/keys").json() == {"current": "sig_mine", "next": "sig_my_next"}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly_with_a_delivery_in_flight(serving, destination, capfd, number, status):
    ended = threading.Event()
    destination.handle = lambda request: 200 if ended.wait(WITHIN_S) else 500
    with serving() as running:
        running.publish(destination.url)
        destination.wait_for(1)
        running.process.send_signal(number)
        assert running.process.wait(WITHIN_S) == status
        ended.set()
    assert capfd.readouterr().err == ""


def test_a_virtual_clock_starts_where_it_is_told_to(serving):
    with serving("--clock", "virtual", "--start", "2026-01-01T01:00:00+01:00") as running:
        assert running.client.get("/_fake/state").json()["now"] == "2026-01-01T00:00:00Z"


def test_a_signal_ends_it_while_the_virtual_clock_moves(serving, destination, capfd):
    ended = threading.Event()
    destination.handle = lambda request: 200 if ended.wait(WITHIN_S) else 500

    answers = list[httpx.Response]()

    def move():
        answers.append(running.client.post("/_fake/deliver-due"))

    with serving("--clock", "virtual") as running:
        running.publish(destination.url)
        moving = threading.Thread(target=move)
        moving.start()
        destination.wait_for(1)
        running.process.terminate()
        assert running.process.wait(WITHIN_S) == 0
        ended.set()
        moving.join()
    (answer,) = answers
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("broken off: the clock stands at 20")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("closed", [True, False])
def test_it_serves_on_and_ends_when_nobody_reads_what_it_prints(closed):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "qstash_fake", "serve", "--port", "0", "--clock", "virtual"],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    )
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().split()[3].rstrip(",")
        if closed:
            process.stdout.close()
        with httpx.Client(base_url=url, headers={"authorization": "Bearer x"}, timeout=WITHIN_S) as client:
            client.post("/_fake/routes", json={"url": "*", "status": 200})
            # 200,000 bytes of lines, of which a pipe holds 65,536
            messages = [{"destination": f"https://shop.example/{'x' * 1000}"}] * 200
            assert client.post("/v2/batch", json=messages).status_code == 200
            for _ in range(2):
                assert client.post("/_fake/deliver-due").status_code == 200
        process.terminate()
        assert process.wait(WITHIN_S) == 0


@pytest.mark.parametrize(
    ("number", "end"), [(signal.SIGTERM, nullcontext()), (signal.SIGINT, pytest.raises(KeyboardInterrupt))]
)
def test_a_signal_that_comes_while_it_starts_ends_it(number, end):
    lines = list[str]()

    def say(line):
        if not lines:
            signal.raise_signal(number)
        lines.append(line)

    with end:
        serve(Settings(port=0), say)
    assert lines[0].startswith("qstash-fake listens on ")


def test_ctrl_c_before_it_listens_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(socket, "create_server", interrupted)
    assert main(["serve", "--port", "0"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_console_script_is_the_same_command():
    script = Path(sysconfig.get_path("scripts")) / "qstash-fake"
    shown = subprocess.run([script, "serve", "--help"], capture_output=True, text=True, check=True)
    assert "--route PREFIX=URL" in shown.stdout


def test_a_port_in_use_is_one_sentence(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    shown = capsys.readouterr()
    problem = f"cannot listen on 127.0.0.1, port {port} (Address already in use)"
    advice = "stop what listens there, or choose another port with --port"
    assert (shown.out, shown.err) == ("", f"qstash-fake: {problem}: {advice}\n")


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("nobody.invalid", "no such host"),
        ("a..b", "no such host"),
        ("192.0.2.1", "Cannot assign requested address"),  # RFC 5737: of no machine
    ],
)
def test_a_host_where_it_cannot_listen_is_one_sentence(capsys, host, problem):
    assert main(["serve", "--port", "0", "--host", host, "--allow-remote", "--token", "x"]) == 1
    advice = "give one of this machine's addresses with --host"
    assert capsys.readouterr().err == f"qstash-fake: cannot listen on {host}, port 0 ({problem}): {advice}\n"


def test_a_missing_uvicorn_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "--port", "0"]) == 1
    assert capsys.readouterr().err == "qstash-fake: a server needs uvicorn: pip install 'qstash-fake[server]'\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("", "the following arguments are required: command"),
        ("run", "argument command: invalid choice: 'run'"),
        ("serve --port high", "argument --port: 'high' is no port: it is a number from 0 to 65535"),
        ("serve --port 65536", "argument --port: '65536' is no port: it is a number from 0 to 65535"),
        ("serve --host 0.0.0.0", "--host 0.0.0.0 lets other machines call this server: add --allow-remote if they may"),
        ("serve --host shop.example", "--host shop.example lets other machines call this server"),
        ("serve --clock fast", "argument --clock: invalid choice: 'fast'"),
        ("serve --start 2026-01-01", "--start sets a virtual clock, and this one is real: add --clock virtual"),
        ("serve --clock virtual --start soon", "argument --start: 'soon' is no ISO 8601 time such as '2026-01-01T09"),
        ("serve --clock virtual --start 1969-12-31", "argument --start: start='1969-12-31' cannot be simulated: give"),
        ("serve --plan gold", "argument --plan: invalid choice: 'gold'"),
        ("serve --token=", "argument --token: a token is not empty and has no blanks"),
        (
            "serve --route shop.example",
            "argument --route: 'shop.example' is not like https://shop.example=http://localhost:3000",
        ),
        (
            "serve --route https://a=localhost",
            "argument --route: 'https://a=localhost' is not like https://shop.example=",
        ),
        (
            "serve --route https://a=http://b.example",
            "--route https://a=http://b.example leaves this machine: add --allow-external if it may",
        ),
        ("serve --route https://a=http://[::1", "--route https://a=http://[::1 leads to no valid URL"),
        ("serve --allow", "unrecognized arguments: --allow"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(capsys, options, error):
    with pytest.raises(SystemExit) as end:
        main(options.split())
    assert end.value.code == 2
    assert f"error: {error}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "route",
    [
        "https://a=http://me:s3cret@b.example",
        "https://me:s3cret@a=http://b.example",
        "https://a=http://me:s3cret@localhost:high",
        "https://a=http://me:s/3cret@localhost:3000",
        "https://a=me:s3cret@localhost:3000",
        "https://a=http://localhost?me:s3cret@b.example",
    ],
)
def test_the_password_of_a_route_is_in_no_error(capsys, route):
    with pytest.raises(SystemExit):
        main(["serve", "--route", route])
    shown = capsys.readouterr().err
    assert "https://a=" in shown
    assert "3cret" not in shown


def test_a_server_for_other_machines_answers_for_any_name_and_warns(serving, capfd):
    with serving("--host", "0.0.0.0", "--allow-remote") as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert running.client.get("/v2/keys", headers={"host": "qstash:8080"}).status_code == 200
        assert running.client.get("/v2/keys", headers={"origin": "https://evil.example"}).status_code == 403
    assert "any token is let in, from every machine that reaches 0.0.0.0" in capfd.readouterr().err


def test_what_is_not_simulated_is_one_line(serving):
    with serving() as running:
        assert running.client.post("/v1/notify/event").status_code == 501
        eventually(lambda: "POST /v1/notify/event is not simulated by qstash_fake" in running.lines)


@pytest.mark.parametrize("options", [["--host", "::1"], ["--host", "[::1]"], ["--host", "::", "--allow-remote"]])
def test_it_listens_on_ipv6(serving, options):
    with serving(*options) as running:
        assert running.url.startswith("http://[::1]:")
        assert running.client.get("/v2/keys").status_code == 200
        everywhere = "--allow-remote" in options
        ipv4 = running.url.replace("[::1]", "127.0.0.1")
        with nullcontext() if everywhere else pytest.raises(httpx.ConnectError):
            assert running.client.get(f"{ipv4}/v2/keys").status_code == 200
