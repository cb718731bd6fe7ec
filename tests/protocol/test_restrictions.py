"""Which options which kind of request may carry."""

import pytest

from qstash_fake.errors import Refused
from qstash_fake.protocol.restrictions import RESTRICTIONS, Kind, parse_options_of

CRON, SCHEDULE_ID = {"Upstash-Cron": "@daily"}, {"Upstash-Schedule-Id": "nightly"}
IN_BOTH = "Upstash-Cron and Upstash-Schedule-Id can not be"


def test_every_kind_has_a_row():
    assert list(RESTRICTIONS) == list(Kind)


@pytest.mark.parametrize(
    ("kind", "headers", "error"),
    [
        (Kind.ENQUEUE, CRON, "Upstash-Cron can not be used with enqueue, use Upstash-Queue-Name on a schedule"),
        (Kind.ENQUEUE, {"Upstash-Delay": "0s"}, "Upstash-Not-Before/Upstash-Delay can not be used with enqueue"),
        (Kind.ENQUEUE, {"Upstash-Not-Before": "0"}, "Upstash-Not-Before/Upstash-Delay can not be used with enqueue"),
        (Kind.BATCH_ITEM, CRON, "Upstash-Cron can not be used in a batch"),
        (Kind.SCHEDULE, {}, "Invalid cron expression empty spec string"),
        (Kind.RETRY, CRON, f"{IN_BOTH} used with a retry"),
        (Kind.RETRY, SCHEDULE_ID, f"{IN_BOTH} used with a retry"),
        (Kind.DEFAULTS, CRON, f"{IN_BOTH} defaults of a URL group"),
        (Kind.DEFAULTS, SCHEDULE_ID, f"{IN_BOTH} defaults of a URL group"),
    ],
)
def test_what_a_kind_of_request_must_not_ask_for_is_refused(kind, headers, error):
    with pytest.raises(Refused) as refused:
        parse_options_of(kind, headers.items())
    assert (refused.value.status, refused.value.error) == (400, error)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (Kind.PUBLISH, {**CRON, **SCHEDULE_ID, "Upstash-Delay": "1s"}),
        (Kind.ENQUEUE, {"Upstash-Retries": "1"}),
        (Kind.BATCH_ITEM, {"Upstash-Delay": "1s"}),
        (Kind.SCHEDULE, {**CRON, **SCHEDULE_ID}),
        (Kind.RETRY, {"Upstash-Delay": "1s"}),
        (Kind.RETRY, {}),
        (Kind.DEFAULTS, {"Upstash-Delay": "1s"}),
    ],
)
def test_what_it_may_ask_for_is_taken(kind, headers):
    parse_options_of(kind, headers.items())
