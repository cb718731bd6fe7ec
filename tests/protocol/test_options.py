"""Publish options: how they are laid over each other, how callback families nest, what is refused."""

import pytest

from qstash_fake.errors import Refused
from qstash_fake.protocol.options import NO_OPTIONS, FlowControl, Options, parse_bool, parse_count, parse_options
from qstash_fake.protocol.redaction import Redaction
from qstash_fake.protocol.workflow import Marks


def options(**headers):
    return parse_options([(f"Upstash-{name.replace('_', '-')}", value) for name, value in headers.items()])


def test_nothing_given_is_no_options():
    assert parse_options([]) == NO_OPTIONS
    assert parse_options([("Host", "qstash.upstash.io"), ("Accept", "*/*")]) == NO_OPTIONS


@pytest.mark.parametrize("name", ["Method", "Retries", "Delay", "Label", "Callback", "Redact-Fields", "Queue-Name"])
def test_an_empty_value_is_no_value(name):
    assert parse_options([(f"Upstash-{name}", "")]) == NO_OPTIONS


def test_every_option_is_read():
    given = options(
        Method="put",
        Retries="1",
        Delay="1m",
        Not_Before="60",
        Timeout="2",
        Label="a,b",
        Deduplication_Id="id",
        Content_Based_Deduplication="T",
        Header_Forward="f",
        Callback="https://shop.example/done",
        Failure_Callback="https://shop.example/failed",
        Queue_Name="emails",
        Schedule_Id="nightly",
        Redact_Fields="body",
        Forward_X="1",
        Flow_Control_Key="key",
        Flow_Control_Value="rate=1",
    )
    assert given == Options(
        method="PUT",
        retries=1,
        delay_ms=60_000,
        not_before_ms=60_000,
        timeout_ms=2_000,
        labels=("a", "b"),
        deduplication_id="id",
        content_based_deduplication=True,
        header_forward=False,
        callback="https://shop.example/done",
        failure_callback="https://shop.example/failed",
        queue="emails",
        schedule_id="nightly",
        redaction=Redaction(body=True),
        forward=(("X", "1"),),
        flow_control=FlowControl(key="key", rate=1),
    )


def test_options_laid_over_others_take_what_they_do_not_give():
    own = options(Retries="0", Header_Forward="false", Label="own")
    defaults = options(Retries="5", Header_Forward="true", Delay="1m", Label="a,b")
    assert own.over(defaults) == Options(retries=0, header_forward=False, delay_ms=60_000, labels=("own",))


def test_forwarded_headers_join_by_name():
    own = parse_options([("Upstash-Forward-X-A", "1"), ("upstash-forward-x-a", "2")])
    defaults = parse_options([("Upstash-Forward-x-a", "0"), ("Upstash-Forward-X-B", "3")])
    assert own.over(defaults).forward == (("X-B", "3"), ("X-A", "1"), ("X-A", "2"))


def test_no_options_over_others_are_the_others():
    others = options(Retries="5", Forward_X="1")
    assert NO_OPTIONS.over(others) == others
    assert others.over(NO_OPTIONS) == others


def test_a_callback_has_a_family_of_its_own():
    given = options(Callback_Retries="1", Callback_Forward_X="a", Failure_Callback_Retries="2", Forward_X="b")
    assert given.callback_options == Options(retries=1, forward=(("X", "a"),))
    assert given.failure_callback_options == Options(retries=2)
    assert given.forward == (("X", "b"),)


def test_callbacks_nest():
    given = options(Callback_Failure_Callback="https://shop.example/a", Callback_Failure_Callback_Callback_Retries="7")
    assert given.callback_options is not None
    assert given.callback_options.failure_callback == "https://shop.example/a"
    assert given.callback_options.failure_callback_options == Options(callback_options=Options(retries=7))


def test_callbacks_nest_eight_deep_and_no_deeper():
    name = "Upstash" + "-Callback" * 8
    assert parse_options([(f"{name}-Retries", "1")]) != NO_OPTIONS
    with pytest.raises(Refused, match="nested deeper than 8"):
        parse_options([(f"{name}-Callback-Retries", "1")])


@pytest.mark.parametrize("prefix", ["", "Callback-", "Failure-Callback-", "Callback-Failure-Callback-"])
def test_a_refusal_names_the_header(prefix):
    with pytest.raises(Refused) as refusal:
        parse_options([(f"upstash-{prefix}Retries", "x")])
    error = f"invalid Upstash-{prefix}Retries header: 'x' is not a non-negative integer"
    assert (refusal.value.status, refusal.value.error) == (400, error)


@pytest.mark.parametrize("prefix", ["", "Callback-", "Failure-Callback-"])
def test_a_refusal_of_limits_names_the_header(prefix):
    key, value = f"Upstash-{prefix}Flow-Control-Key", f"Upstash-{prefix}Flow-Control-Value"
    with pytest.raises(Refused, match=f"^{key} is missing: "):
        parse_options([(value, "rate=1")])
    with pytest.raises(Refused, match=f"^invalid {value} header: '0' is less than 1$"):
        parse_options([(key, "k"), (value, "rate=0")])


@pytest.mark.parametrize("name", ["X Y", "X:", "\xe9", "X\n", "(X)"])
def test_only_a_token_can_be_forwarded(name):
    with pytest.raises(Refused, match="invalid header name") as refusal:
        parse_options([(f"Upstash-Forward-{name}", "1")])
    assert refusal.value.status == 400


def test_a_header_without_a_name_is_not_forwarded():
    assert parse_options([("Upstash-Forward-", "1")]) == NO_OPTIONS


@pytest.mark.parametrize("name", ["Content-Type", "Host", "content-length", "TE"])
def test_what_belongs_to_the_publish_or_to_the_connection_is_not_forwarded(name):
    assert parse_options([(f"Upstash-Forward-{name}", "1")]) == NO_OPTIONS


@pytest.mark.parametrize("name", ["Upstash-Forward-X", "X-Shop", "Content-Type"])
@pytest.mark.parametrize("control", ["\0", "\n", "\x1f", "\x7f"])
def test_a_control_character_is_refused_in_every_header(name, control):
    with pytest.raises(Refused, match=f"invalid value of header {name}: control characters are not allowed"):
        parse_options([("Accept", "caf\xe9"), (name, f"a{control}b")])


def test_a_tab_may_stand_in_a_value():
    assert parse_options([("Upstash-Forward-X", "a\tb")]).forward == (("X", "a\tb"),)


@pytest.mark.parametrize("prefix", ["", "Callback-", "Failure-Callback-Callback-"])
def test_the_marks_of_a_workflow_belong_to_the_family_whose_prefix_they_have(prefix):
    options: Options | None = parse_options([(f"Upstash-{prefix}Workflow-Init", "true")])
    for family in {"": [], "Callback-": ["callback"]}.get(prefix, ["failure_callback", "callback"]):
        assert options is not None
        assert options.workflow is None
        options = getattr(options, f"{family}_options")
    assert options is not None
    assert options.workflow == Marks(run_id="", init=True)


@pytest.mark.parametrize("value", ["rate=1,rate=2", "RATE=1, Rate=2"])
def test_the_last_of_two_equal_limits_counts(value):
    assert options(Flow_Control_Key="key", Flow_Control_Value=value).flow_control == FlowControl(key="key", rate=2)


@pytest.mark.protocol("header Upstash-Not-Before")
@pytest.mark.parametrize("text", ["1767225600000", "253402300800"])
def test_a_time_in_milliseconds_is_refused_with_the_unit_that_it_needs(text):
    with pytest.raises(Refused) as refusal:
        options(Not_Before=text)
    assert (refusal.value.status, refusal.value.error) == (
        400,
        f"invalid Upstash-Not-Before header: {text} is beyond the year 9999; it takes unix seconds, not milliseconds",
    )


@pytest.mark.protocol("header Upstash-Not-Before")
@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0", 0),
        (" 1767225600 ", 1_767_225_600_000),
        ("1767225600.5", 1_767_225_600_500),
        ("1767225600.0259", 1_767_225_600_025),
        ("253402300799", 253_402_300_799_000),
    ],
)
def test_upstash_not_before_is_in_seconds_and_may_have_decimals(text, ms):
    assert options(Not_Before=text).not_before_ms == ms


WEEK_S, YEAR_S = 604_800, 31_536_000


@pytest.mark.parametrize(
    ("header", "value", "error"),
    [
        ("Not-Before", "soon", "'soon' is not a time in unix seconds"),
        ("Not-Before", "-1", "'-1' is not a time in unix seconds"),
        ("Not-Before", "1767225600.", "'1767225600.' is not a time in unix seconds"),
        ("Timeout", f"{YEAR_S + 1}", f"{YEAR_S + 1} is longer than a year"),
        ("Delay", "90", 'time: missing unit in duration "90"'),
        ("Delay", "-1s", 'duration "-1s" is negative'),
        ("Method", "head", "'head' is not one of DELETE, GET, PATCH, POST, PUT"),
        ("Header-Forward", "yes", "'yes' is not a boolean"),
        ("Retries", "-1", "'-1' is not a non-negative integer"),
        (
            "Queue-Name",
            "a b",
            "'a b' has other characters than letters, digits, hyphen, period and underscore",
        ),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_the_header_and_the_reason(header, value, error):
    with pytest.raises(Refused) as refusal:
        parse_options([(f"Upstash-{header}", value)])
    assert (refusal.value.status, refusal.value.error) == (400, f"invalid Upstash-{header} header: {error}")


@pytest.mark.parametrize(
    ("header", "value", "error"),
    [
        ("Label", "a b", "label must be alphanumeric, hyphen, underscore, or period"),
        ("Deduplication-Id", "a:b", "DeduplicationId cannot contain ':'"),
        ("Deduplication-Id", "a b", "DeduplicationId cannot contain whitespace"),
        ("Callback", "shop.example", "invalid destination url: endpoint has invalid scheme, add http:// or https://"),
        ("Cron", "* * * *", "Invalid cron expression expected exactly 5 fields, found 4: [* * * *]"),
        (
            "Callback-Delay",
            "5s",
            "Upstash-Callback-Delay can not be used: callbacks can not be delayed",
        ),
        (
            "Failure-Callback-Not-Before",
            "5",
            "Upstash-Failure-Callback-Not-Before can not be used: callbacks can not be delayed",
        ),
    ],
)
def test_some_values_are_refused_in_words_of_their_own(header, value, error):
    with pytest.raises(Refused) as refusal:
        parse_options([(f"Upstash-{header}", value)])
    assert (refusal.value.status, refusal.value.error) == (400, error)


@pytest.mark.parametrize(("text", "ms"), [("1", 1_000), ("1s", 1_000), (f"{WEEK_S}", 604_800_000), ("7d", 604_800_000)])
def test_a_period_is_from_a_second_to_a_week(text, ms):
    limits = options(Flow_Control_Key="k", Flow_Control_Value=f"rate=1,period={text}").flow_control
    assert limits == FlowControl(key="k", rate=1, period_ms=ms)


@pytest.mark.parametrize("text", ["0", "999ms", f"{WEEK_S + 1}"])
def test_a_period_below_a_second_or_above_a_week_is_refused(text):
    with pytest.raises(Refused) as refusal:
        options(Flow_Control_Key="k", Flow_Control_Value=f"rate=1,period={text}")
    assert refusal.value.error == (
        f"invalid Upstash-Flow-Control-Value header: '{text}' is not between a second and a week"
    )


def test_a_timeout_may_be_a_year():
    assert options(Timeout=f"{YEAR_S}").timeout_ms == 31_536_000_000


INVALID_LIMITS = (
    "Upstash-Flow-Control-Value should be either rate=X or parallelism=Y, or both as comma-separated values"
)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("a b", "rate=1", "flowControlKey must be alphanumeric, hyphen, underscore, or period"),
        *(("k", value, INVALID_LIMITS) for value in ("period=5", "rate", "rate=x", "speed=1", "rate=1,", "rate=-1")),
        (
            "k",
            "",
            "Upstash-Flow-Control-Value is missing: a flow-control key and its value go together",
        ),
        (
            "",
            "rate=1",
            "Upstash-Flow-Control-Key is missing: a flow-control key and its value go together",
        ),
    ],
)
def test_limits_that_cannot_be_read_are_refused_in_words_of_their_own(key, value, error):
    with pytest.raises(Refused) as refusal:
        options(Flow_Control_Key=key, Flow_Control_Value=value)
    assert (refusal.value.status, refusal.value.error) == (400, error)


@pytest.mark.parametrize("text", ["", "2", "yes", " true", "tRue"])
def test_what_go_does_not_take_for_a_boolean_is_none(text):
    with pytest.raises(ValueError, match="is not a boolean"):
        parse_bool(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "\u0661", "1_0", "0x1", "1" * 16])
def test_what_has_other_than_a_few_digits_is_no_count(text):
    with pytest.raises(ValueError, match="is not a non-negative integer"):
        parse_count(text)
