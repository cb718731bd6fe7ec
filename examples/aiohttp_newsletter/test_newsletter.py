import pytest

MAIL = "https://news.example/jobs/mail"

pytestmark = [pytest.mark.asyncio, pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")]


async def publish(client, *readers):
    await client.post("/issues", json={"title": "January", "readers": readers})


async def test_readers_get_the_issue_two_in_a_second(qstash_fake, client, mailed):
    await publish(client, "ann@a.example", "bob@b.example", "eve@e.example")

    await qstash_fake.deliver_due_async()
    assert mailed == ["January to ann@a.example", "January to bob@b.example"]
    await qstash_fake.clock.advance_async("1s")
    assert mailed[2:] == ["January to eve@e.example"]


async def test_a_reader_whose_mail_fails_at_first_gets_it_later(qstash_fake, client, mailed):
    qstash_fake.on(MAIL).respond_with([503])
    await publish(client, "ann@a.example")
    await qstash_fake.drain_async()

    assert [attempt.status for attempt in qstash_fake.attempts] == [503, 200]
    assert mailed == ["January to ann@a.example"]


async def test_what_is_no_address_is_not_tried_again(qstash_fake, client, mailed):
    await publish(client, "ann")
    await qstash_fake.drain_async()

    dead = qstash_fake.assert_dead_lettered(url=MAIL, status=489)
    assert len(dead.message.attempts) == 1
    assert mailed == []


async def test_a_stranger_mails_nobody(qstash_fake, client, mailed):
    forged = qstash_fake.signed_request(MAIL, {"to": "ann@a.example", "title": "January"}, tampered=True)
    answer = await client.post("/jobs/mail", data=forged.content, headers=dict(forged.headers))
    assert answer.status == 401
    assert mailed == []
