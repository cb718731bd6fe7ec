"""With `region=`, the hosts of another region do not know the account: the commonest error of a first deployment."""

import httpx
import pytest
import requests
from qstash import QStash
from qstash.errors import QStashError

from qstash_fake import QStashFake, UsageError

BEARER = {"Authorization": "Bearer a-token"}
EU, US, ALIAS = (
    "https://qstash-eu-central-1.upstash.io",
    "https://qstash-us-east-1.upstash.io",
    "https://qstash.upstash.io",
)
PUBLISH = "/v2/publish/https://shop.example/jobs"


@pytest.mark.protocol("error user not found in this region")
@pytest.mark.parametrize(
    ("region", "known", "unknown"), [("us-east-1", [US], [EU, ALIAS]), ("eu-central-1", [EU, ALIAS], [US])]
)
def test_a_host_of_another_region_does_not_know_the_user(region, known, unknown):
    with QStashFake(region=region) as fake:
        assert {requests.post(host + PUBLISH, headers=BEARER).status_code for host in known} == {201}
        other = "us-east-1" if region == "eu-central-1" else "eu-central-1"
        for host in unknown:
            response = httpx.post(host + PUBLISH, headers=BEARER)
            assert response.status_code == 404
            assert response.json() == {"error": f"user not found in this region ({other})"}
    assert len(fake.messages) == len(known)
    assert [call.status for call in fake.api.calls].count(404) == len(unknown)


def test_the_official_client_raises_it():
    with (
        QStashFake(region="us-east-1"),
        pytest.raises(QStashError, match=r"user not found in this region \(eu-central-1\)"),
    ):
        QStash("a-token", base_url=ALIAS).message.publish(url="https://shop.example/jobs")


def test_the_address_in_the_environment_is_of_the_right_region():
    with QStashFake(region="us-east-1") as fake:
        QStash("a-token").message.publish(url="https://shop.example/jobs")
    fake.assert_published(times=1)


def test_a_fault_is_kept_for_a_call_of_the_right_region():
    with QStashFake(region="us-east-1") as fake:
        fake.api.fail(503)
        assert httpx.post(EU + PUBLISH, headers=BEARER).status_code == 404
        assert httpx.post(US + PUBLISH, headers=BEARER).status_code == 503


def test_without_a_region_every_host_answers(qstash_fake):
    for host in (EU, US, ALIAS):
        assert httpx.post(host + PUBLISH, headers=BEARER).status_code == 201
    qstash_fake.assert_published(times=3)


@pytest.mark.qstash_fake(region="us-east-1")
def test_the_marker_sets_it(qstash_fake):
    assert httpx.post(EU + PUBLISH, headers=BEARER).status_code == 404


def test_an_unknown_region_is_refused():
    with pytest.raises(UsageError, match=r"^region='us_east_1' is unknown: use one of 'eu-central-1', 'us-east-1'$"):
        QStashFake(region="us_east_1")
