"""The four variables that applications read are set while a fake is there, and are afterwards what they were."""

import os

import pytest
from qstash import QStash, Receiver
from qstash.errors import QStashError

from qstash_fake import QStashFake
from qstash_fake.broker.keys import DEV_CURRENT_KEY, DEV_NEXT_KEY
from qstash_fake.testing.environment import DEV_TOKEN, URL, VARIABLES
from tests.shop import JOBS

CURRENT, NEXT = "sig_" + "1" * 28, "sig_" + "2" * 28


def environment():
    return {name: os.environ.get(name) for name in VARIABLES}


@pytest.fixture
def _nothing_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _all_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, f"https://{name.lower().replace('_', '-')}.example")


@pytest.mark.usefixtures("_nothing_set")
def test_variables_that_are_not_set_are_set_meanwhile_and_gone_afterwards():
    with QStashFake():
        assert environment() == {
            "QSTASH_URL": URL,
            "QSTASH_TOKEN": DEV_TOKEN,
            "QSTASH_CURRENT_SIGNING_KEY": DEV_CURRENT_KEY,
            "QSTASH_NEXT_SIGNING_KEY": DEV_NEXT_KEY,
        }
    assert set(environment().values()) == {None}


@pytest.mark.usefixtures("_all_set")
def test_variables_that_are_set_are_restored():
    before = environment()
    with QStashFake():
        assert os.environ["QSTASH_URL"] == URL
        assert os.environ["QSTASH_TOKEN"] == DEV_TOKEN
    assert environment() == before


@pytest.mark.usefixtures("_all_set")
def test_variables_are_restored_after_a_failure_and_after_the_test_changed_them():
    before = environment()
    fake = QStashFake().__enter__()
    os.environ["QSTASH_TOKEN"] = "another"
    del os.environ["QSTASH_URL"]
    fake.__exit__(KeyError, KeyError(), None)
    assert environment() == before


@pytest.mark.usefixtures("_all_set")
def test_variables_are_restored_after_two_fakes():
    before = environment()
    with QStashFake(token="outer"), QStashFake(token="inner"):
        assert os.environ["QSTASH_TOKEN"] == "inner"
    assert environment() == before


def test_signing_keys_of_the_environment_win_if_both_are_set(monkeypatch):
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
    monkeypatch.setenv("QSTASH_NEXT_SIGNING_KEY", NEXT)
    receiver_made_at_import = Receiver(CURRENT, NEXT)
    with QStashFake() as fake:
        request = fake.signed_request(JOBS, b"{}")
        assert (fake.signing_keys.current, fake.signing_keys.next) == (CURRENT, NEXT)
        assert os.environ["QSTASH_CURRENT_SIGNING_KEY"] == CURRENT
    receiver_made_at_import.verify(signature=request.headers["Upstash-Signature"], body="{}", url=JOBS)


@pytest.mark.usefixtures("_nothing_set")
def test_a_single_signing_key_of_the_environment_counts_for_nothing(monkeypatch):
    monkeypatch.setenv("QSTASH_CURRENT_SIGNING_KEY", CURRENT)
    with QStashFake() as fake:
        assert (fake.signing_keys.current, fake.signing_keys.next) == (DEV_CURRENT_KEY, DEV_NEXT_KEY)
    assert os.environ["QSTASH_CURRENT_SIGNING_KEY"] == CURRENT
    assert "QSTASH_NEXT_SIGNING_KEY" not in os.environ


@pytest.mark.qstash_fake(token="the-token")
def test_with_a_token_no_other_is_let_in(qstash_fake):
    QStash(os.environ["QSTASH_TOKEN"]).message.publish(url=JOBS)
    with pytest.raises(QStashError, match="unable to authenticate: invalid token"):
        QStash("another").message.publish(url=JOBS)
    qstash_fake.assert_published(times=1)


def test_without_a_token_any_is_let_in(qstash_fake):
    QStash("one").message.publish(url=JOBS)
    QStash("another").message.publish(url=JOBS)
    qstash_fake.assert_published(times=2)


@pytest.mark.qstash_fake(token=["first", "second"])
def test_of_several_tokens_each_is_let_in_and_the_first_is_in_the_environment(qstash_fake):
    assert os.environ["QSTASH_TOKEN"] == "first"
    for token in ("first", "second"):
        QStash(token).message.publish(url="https://shop.example/jobs")
    with pytest.raises(QStashError, match="invalid token"):
        QStash("third").message.publish(url="https://shop.example/jobs")
