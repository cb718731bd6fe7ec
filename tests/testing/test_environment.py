"""The environment during a test: layers that end in any order, QSTASH_URL and url=, keys that are set late."""

import contextlib
import itertools
import os

import httpx
import pytest
from qstash import QStash, Receiver

from qstash_fake import QStashFake, UsageError
from qstash_fake.broker.keys import DEV_CURRENT_KEY
from qstash_fake.testing.environment import DEV_TOKEN, VARIABLES, variables
from tests.shop import JOBS

CURRENT, NEXT = "sig_" + "1" * 28, "sig_" + "2" * 28
REGION = "https://qstash-us-east-1.upstash.io"


def environment():
    return {name: os.environ.get(name) for name in VARIABLES}


@pytest.fixture(autouse=True)
def before(monkeypatch):
    """Two variables are set before a fake is there, two are not."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QSTASH_URL", REGION)
    monkeypatch.setenv("QSTASH_TOKEN", "before")
    return environment()


# --- layers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", list(itertools.permutations(range(3))))
def test_fakes_that_end_in_any_order_leave_what_was_there_before_them(before, ends):
    fakes = [QStashFake(token=f"token-{number}", freeze="off") for number in range(3)]
    for fake in fakes:
        fake.__enter__()
    living = [0, 1, 2]
    for number in ends:
        assert os.environ["QSTASH_TOKEN"] == f"token-{living[-1]}"
        fakes[number].__exit__(None, None, None)
        living.remove(number)
    assert environment() == before


@pytest.mark.parametrize("ends", list(itertools.permutations(range(3))))
def test_layers_of_different_variables_end_in_any_order(before, ends):
    names = [("QSTASH_URL", "QSTASH_TOKEN"), ("QSTASH_TOKEN", "QSTASH_NEXT_SIGNING_KEY"), ("QSTASH_URL",)]
    layers = [variables(dict.fromkeys(some, f"layer {number}")) for number, some in enumerate(names)]
    for layer in layers:
        layer.__enter__()
    living = [0, 1, 2]
    for number in ends:
        layers[number].__exit__(None, None, None)
        living.remove(number)
        for name in VARIABLES:
            seen = [f"layer {one}" for one in living if name in names[one]]
            assert os.environ.get(name) == (seen[-1] if seen else before[name])


# --- QSTASH_URL ---------------------------------------------------------------------------------------------------


def test_the_url_during_a_test_can_be_nobodys():
    with QStashFake() as fake:
        assert environment() | {"QSTASH_CURRENT_SIGNING_KEY": None, "QSTASH_NEXT_SIGNING_KEY": None} == {
            "QSTASH_URL": "https://qstash-fake.invalid",
            "QSTASH_TOKEN": DEV_TOKEN,
            "QSTASH_CURRENT_SIGNING_KEY": None,
            "QSTASH_NEXT_SIGNING_KEY": None,
        }
        QStash(os.environ["QSTASH_TOKEN"]).message.publish(url=JOBS)
        fake.assert_published(url=JOBS)


@pytest.mark.parametrize(
    "url", [REGION, "https://gateway.example", "http://localhost:3000/", "HTTPS://Gateway.Example:8443"]
)
def test_what_the_url_is_said_to_be_is_found_and_answered(url):
    with QStashFake(url=url) as fake:
        assert os.environ["QSTASH_URL"] == url
        QStash("token").message.publish(url=JOBS)
        os.environ["QSTASH_URL"] = "https://set-by-the-test.example"
        QStash("token").message.publish(url=JOBS)
        QStash("token", base_url=url).message.publish(url=JOBS)  # a client of before still comes here
        fake.assert_published(url=JOBS, times=3)


def test_the_addresses_of_before_and_of_the_dev_server_are_answered_too(monkeypatch):
    monkeypatch.setenv("QSTASH_URL", "https://gateway.example")
    with QStashFake() as fake:
        for url in ("https://gateway.example", "http://127.0.0.1:8080", "http://localhost:8080", REGION):
            QStash("token", base_url=url).message.publish(url=JOBS)
        fake.assert_published(url=JOBS, times=4)


@pytest.mark.qstash_fake(url=REGION)
def test_the_marker_says_what_the_url_is(qstash_fake):
    assert os.environ["QSTASH_URL"] == REGION


@pytest.mark.parametrize(
    "url", ["gateway.example", "ftp://gateway.example", "https://gateway.example/v2", "https://", ""]
)
def test_a_url_that_no_client_could_take_for_qstashs_is_refused(url):
    with pytest.raises(UsageError) as caught:
        QStashFake(url=url)
    assert str(caught.value) == (
        f"url={url!r} is no address of QStash: give a scheme and a host, such as 'https://qstash-fake.invalid'"
    )


def test_a_url_object_is_taken_as_its_text():
    with QStashFake(url=httpx.URL("https://gateway.example")) as fake:
        assert os.environ["QSTASH_URL"] == "https://gateway.example"
        assert fake.messages == []


# --- signing keys -------------------------------------------------------------------------------------------------


def test_keys_that_are_set_after_the_fake_count_if_none_was_needed_before(monkeypatch):
    with QStashFake() as fake:
        QStash("token").message.publish(url=JOBS)
        monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
        monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)
        request = fake.signed_request(JOBS, b"{}")
        Receiver(CURRENT, NEXT).verify(signature=request.headers["Upstash-Signature"], body="{}", url=JOBS)
        assert (fake.signing_keys.current, fake.signing_keys.next) == (CURRENT, NEXT)


def test_keys_that_are_set_after_one_was_needed_do_not_count(monkeypatch):
    with QStashFake() as fake:
        assert fake.signing_keys.current == DEV_CURRENT_KEY
        monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
        monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)
        assert fake.signing_keys.current == DEV_CURRENT_KEY


def test_a_reset_lets_keys_that_are_set_meanwhile_count(monkeypatch):
    with QStashFake() as fake:
        fake.signing_keys.rotate()
        monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
        monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)
        fake.reset()
        assert (fake.signing_keys.current, fake.signing_keys.next) == (CURRENT, NEXT)


@pytest.mark.parametrize("need", ["a delivery", "the API", "a rotation"])
def test_whatever_needs_a_key_first_takes_those_of_the_environment(monkeypatch, need):
    seen = []

    def app(request):
        seen.append(request.headers["Upstash-Signature"])
        return httpx.Response(200)

    with QStashFake() as fake:
        fake.mount(app)
        QStash("token").message.publish(url=JOBS, body="{}")
        monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
        monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)
        if need == "a delivery":
            fake.deliver_due()
            Receiver(CURRENT, NEXT).verify(signature=seen[0], body="{}", url=JOBS)
        elif need == "the API":
            assert QStash("token").signing_key.get().current == CURRENT
        else:
            fake.signing_keys.rotate()
            assert fake.signing_keys.current == NEXT


def test_an_error_of_the_block_restores_the_environment(before):
    with contextlib.suppress(ZeroDivisionError), QStashFake():
        raise ZeroDivisionError
    assert environment() == before
