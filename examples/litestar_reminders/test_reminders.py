import pytest

REMINDER = "https://remind.example/jobs/reminder"

pytestmark = pytest.mark.qstash_fake(start="2026-03-02T09:00:00Z")


def book(client, at):
    return client.post("/appointments", json={"patient": "Ann", "at": at}).json()["reminder"]


def test_a_patient_is_reminded_a_day_before(qstash_fake, client, sent):
    book(client, "2026-03-10T14:30:00Z")

    qstash_fake.clock.advance_to("2026-03-09T14:29:59Z")
    assert sent == []
    qstash_fake.clock.advance("1s")
    assert sent == ["Ann: 10 March, 14:30"]


def test_an_appointment_of_today_is_reminded_of_at_once(qstash_fake, client, sent):
    book(client, "2026-03-02T17:00:00Z")
    qstash_fake.deliver_due()
    assert sent == ["Ann: 02 March, 17:00"]


def test_a_patient_is_reminded_of_the_new_time_only(qstash_fake, client, sent):
    reminder = book(client, "2026-03-10T14:30:00Z")
    client.put(f"/appointments/{reminder}", json={"patient": "Ann", "at": "2026-03-06T08:00:00Z"})
    qstash_fake.drain()

    assert sent == ["Ann: 06 March, 08:00"]
    qstash_fake.assert_published(url=REMINDER, times=2)
    assert [message.message_id for message in qstash_fake.cancelled] == [reminder]


def test_nobody_is_reminded_of_an_appointment_that_was_called_off(qstash_fake, client, sent):
    client.delete(f"/appointments/{book(client, '2026-03-10T14:30:00Z')}")
    qstash_fake.assert_idle()
    assert sent == []


def test_an_appointment_is_not_called_off_while_qstash_is_down(qstash_fake, client, sent):
    reminder = book(client, "2026-03-10T14:30:00Z")
    qstash_fake.api.fail(503)
    assert client.delete(f"/appointments/{reminder}").status_code == 500

    qstash_fake.drain()
    assert sent == ["Ann: 10 March, 14:30"]


def test_a_stranger_reminds_nobody(qstash_fake, client, sent):
    forged = qstash_fake.signed_request(REMINDER, {"patient": "Ann", "at": "2026-03-10T14:30:00Z"}, wrong_key=True)
    answer = client.post("/jobs/reminder", content=forged.content, headers=dict(forged.headers))
    assert answer.status_code == 401
    assert sent == []
