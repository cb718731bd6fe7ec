"""The grammar of the table of operations. The table itself: test_answer.py."""

import pytest

from qstash_fake.api.routing import Routes

ROUTES = Routes(
    [
        ("POST", "/v2/publish/{rest}", "publish"),
        ("GET", "/v2/queues", "list"),
        ("GET", "/v2/queues/{name}", "get"),
        ("POST", "/v2/schedules/{id:id}/pause", "pause"),
        ("POST", "/v2/schedules/{rest}", "schedule"),
        ("GET", "/v2/keys/{key...}", "key"),
        ("GET", "/v2/keys/{key...}/reset", "never reached: the row above fits as well"),
    ]
)


@pytest.mark.parametrize(
    ("method", "target", "handler", "variables"),
    [
        ("GET", "/v2/queues", "list", {}),
        ("GET", "/V2/Queues/?a=b", "list", {}),
        ("GET", "/v2/queues/a%2Fb%20c?name=d", "get", {"name": "a/b c"}),
        ("GET", "/v2/queues/a/", "get", {"name": "a"}),
        ("POST", "/v2/publish/https://a.example/b%2Fc?d=e?f", "publish", {"rest": "https://a.example/b%2Fc?d=e?f"}),
        ("POST", "/v2/publish/", "publish", {"rest": ""}),
        ("POST", "/v2/publish?a=b", "publish", {"rest": ""}),
        ("POST", "/v2/schedules/nightly/pause", "pause", {"id": "nightly"}),
        ("POST", "/v2/schedules/https://a.example/pause", "schedule", {"rest": "https://a.example/pause"}),
        ("GET", "/v2/keys/a/b%2Fc", "key", {"key": "a/b/c"}),
        ("GET", "/v2/keys/a/reset", "key", {"key": "a/reset"}),
    ],
)
def test_a_target_belongs_to_the_first_row_that_fits_it(method, target, handler, variables):
    assert ROUTES.find(method, target) == (handler, variables)


@pytest.mark.parametrize(
    ("method", "target", "known"),
    [
        ("POST", "/v2/queues", True),
        ("get", "/v2/queues", True),
        ("GET", "/v2/publish/x", True),
        ("GET", "/v2/queues/a/b", False),
        ("GET", "/v2/queues//", False),
        ("GET", "/v2/keys", False),
        ("GET", "/v2", False),
        ("GET", "v2/queues", False),
        ("GET", "/v3/queues", False),
        ("GET", "", False),
    ],
)
def test_a_target_without_a_row_may_still_be_known_with_another_method(method, target, known):
    assert ROUTES.find(method, target) is None
    assert ROUTES.knows(target) is known
