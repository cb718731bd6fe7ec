import pytest
from django.test import Client

from examples.django_reports.reports import schedule_report


@pytest.mark.qstash_fake(start="2026-03-06T12:00:00Z")  # the clocks of New York go forward on the 8th, at two
def test_a_report_is_written_every_night_at_two_in_new_york(qstash_fake, written):
    schedule_report()
    qstash_fake.clock.advance("4d")
    assert written == [
        "report of 2026-03-07 07:00",
        "report of 2026-03-09 06:00",  # there was no two o'clock on the 8th
        "report of 2026-03-10 06:00",
    ]


def test_deploying_again_leaves_one_schedule(qstash_fake):
    schedule_report()
    schedule_report()
    assert list(qstash_fake.schedules) == ["nightly-report"]


def test_a_report_can_be_made_now(qstash_fake, written):
    schedule_report()
    qstash_fake.assert_scheduled(destination="https://reports.example/jobs/report").trigger()
    qstash_fake.deliver_due()
    assert len(written) == 1


def test_a_stranger_writes_no_report(qstash_fake, written):
    answer = Client(SERVER_NAME="reports.example").post("/jobs/report")
    assert answer.status_code == 403
    assert written == []
