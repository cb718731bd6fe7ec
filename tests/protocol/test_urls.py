"""URLs: destinations, equality, patterns and mount points."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstash_fake.errors import Refused
from qstash_fake.protocol.urls import (
    Destination,
    UrlPattern,
    absolute_url,
    is_loopback,
    normalize,
    parse_destination,
    server,
    split,
    under,
)


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("https://shop.example/jobs", Destination(url="https://shop.example/jobs")),
        ("http:/shop.example", Destination(url="http://shop.example")),
        ("HTTPS://shop.example", Destination(url="HTTPS://shop.example")),
        ("group", Destination(group="group")),
        ("group/", Destination(group="group")),
        ("My-Group_1.0", Destination(group="My-Group_1.0")),
        ("api/llm", Destination(api="llm")),
        ("api/llm/", Destination(api="llm")),
        ("api", Destination(group="api")),
        ("https", Destination(group="https")),
    ],
)
def test_a_destination_is_a_url_a_group_or_an_api(text, destination):
    assert parse_destination(text) == destination


@pytest.mark.parametrize("destination", ["https://shop.example/jobs", "group", "api/llm"])
def test_a_destination_prints_as_it_is_written(destination):
    assert str(parse_destination(destination)) == destination


NO_SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "a non-empty destination must be provided"),
        *((text, NO_SCHEME) for text in ("/", "group//", "a b", "api//", "api/a/b", "mailto:x")),
        ("https%3A%2F%2Fshop.example", NO_SCHEME),
    ],
)
def test_anything_else_is_no_destination(text, error):
    with pytest.raises(Refused) as refusal:
        parse_destination(text)
    assert (refusal.value.status, refusal.value.error) == (400, error)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example?a",
        "https://shop.example:8443/",
        "https://shop.example:/",
        "http://localhost",
        "http://127.0.0.1:8000/jobs",
        "http://[::1]:8000/jobs",
        "https://user:pass@shop.example/@a?b@c",
        "https://shop_1.example/",
        "https://b\xfccher.example/",
        "https://b%C3%BCcher.example/",
        "https://shop.example/caf\xe9?q=\u65e5",
        "https://shop.example/a/../b/./%2e%2E//",
        "https://shop.example/'\"<>[]{}|\\^`",
    ],
)
def test_a_url_is_kept_as_it_was_sent(url):
    assert absolute_url(url) == url


NO_HOST = "invalid destination url: {!r} has no valid host or contains blanks".format


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("shop.example", NO_SCHEME),
        ("ftp://shop.example", NO_SCHEME),
        *((url, NO_HOST(url)) for url in ("https://", "https://?a=1", "https://:80/", "https://user@/jobs")),
        *((url, NO_HOST(url)) for url in ("https://shop.example/a b", "https://shop.example/a\x7f")),
        ("https://shop^example/", "invalid destination url: invalid host 'shop^example'"),
        ("https://user@shop.example:65536/", "invalid destination url: invalid host 'shop.example:65536'"),
        ("https://shop.example:http/", "invalid destination url: invalid host 'shop.example:http'"),
    ],
)
def test_a_url_without_a_host_that_can_be_is_refused_with_what_is_wrong(url, error):
    with pytest.raises(Refused) as refusal:
        absolute_url(url)
    assert (refusal.value.status, refusal.value.error) == (400, error)


def test_a_fragment_is_no_part_of_what_is_sent():
    assert absolute_url("https://shop.example/a?b#c?d") == "https://shop.example/a?b"
    assert absolute_url("https://shop.example#c") == "https://shop.example"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://shop.example", ("https", "shop.example", "", "")),
        ("https://shop.example?a?b", ("https", "shop.example", "", "?a?b")),
        ("https://u:p@shop.example:8443/a//b/?x=/y", ("https", "u:p@shop.example:8443", "/a//b/", "?x=/y")),
        ("https://shop.example/?", ("https", "shop.example", "/", "?")),
        ("https://shop.example/a#b?c", ("https", "shop.example", "/a", "")),
        ("https://shop.example?to=https://a.example/b", ("https", "shop.example", "", "?to=https://a.example/b")),
    ],
)
def test_a_url_is_split_without_decoding(url, parts):
    assert split(url) == parts


@given(st.text(st.characters(exclude_characters="#")))
def test_the_parts_of_a_url_give_it_back(text):
    scheme, host, path, query = split(f"https://{text}")
    assert f"{scheme}://{host}{path}{query}" == f"https://{text}"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://shop.example/", ("shop.example", 443, "shop.example")),
        ("HTTPS://Shop.Example?a", ("shop.example", 443, "Shop.Example")),
        ("http://shop.example", ("shop.example", 80, "shop.example")),
        ("http://shop.example:8080/x", ("shop.example", 8080, "shop.example:8080")),
        ("http://shop.example:/x", ("shop.example", 80, "shop.example:")),
        ("https://user:pass@shop.example:8443/@a", ("shop.example", 8443, "shop.example:8443")),
        ("https://a@b@shop.example", ("shop.example", 443, "shop.example")),
        ("http://[::1]:8080/", ("[::1]", 8080, "[::1]:8080")),
        ("http://[FE80::1]/", ("[fe80::1]", 80, "[FE80::1]")),
        ("http://localhost:port/", ("localhost:port", 80, "localhost:port")),
        ("http://localhost:123456/", ("localhost:123456", 80, "localhost:123456")),
        ("http://::1/", ("::1", 80, "::1")),
        ("https://", ("", 443, "")),
        ("", ("", 80, "")),
    ],
)
def test_the_server_of_a_url_has_a_port_and_no_user(url, named):
    assert server(url) == named


@given(st.text())
def test_whatever_a_url_says_its_server_has_a_port(text):
    assert 0 <= server(f"http://{text}").port <= 99_999


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("HTTPS://Shop.Example/jobs", "https://shop.example/jobs"),
        ("https://shop.example:443/jobs", "https://shop.example/jobs"),
        ("http://shop.example:80/jobs", "http://shop.example/jobs"),
        ("http://shop.example:/jobs", "http://shop.example/jobs"),
        ("http://shop.example:080/jobs", "http://shop.example/jobs"),
        ("https://shop.example?a=1", "https://shop.example/?a=1"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_these_urls_are_the_same(one, other):
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://shop.example/jobs", "http://shop.example/jobs"),
        ("https://shop.example:80/", "https://shop.example/"),
        ("https://shop.example/jobs", "https://shop.example/Jobs"),
        ("https://shop.example/jobs", "https://shop.example/jobs/"),
        ("https://shop.example/a/b", "https://shop.example/a//b"),
        ("https://shop.example/a%2Fb", "https://shop.example/a/b"),
        ("https://shop.example/a%2Fb", "https://shop.example/a%2fb"),
        ("https://shop.example/?a=1&b=2", "https://shop.example/?b=2&a=1"),
        ("https://Ada@shop.example/", "https://ada@shop.example/"),
    ],
)
def test_these_urls_are_not(one, other):
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("https://shop.example/jobs", "https://shop.example/jobs"),
        ("https://shop.example/jobs", "https://shop.example/jobs?a=1"),
        ("https://shop.example/jobs?a=1", "https://SHOP.example:443/jobs?a=1"),
        ("https://shop.example", "https://shop.example/?a=1"),
        ("https://shop.example/jobs/*", "https://shop.example/jobs/7?a=1"),
        ("https://shop.example/jobs/*", "https://shop.example/jobs/"),
        ("https://shop.example/jobs*", "https://shop.example/jobs-late"),
        ("https://shop.example*", "https://shop.example"),
        ("https://SHOP.example*", "https://shop.example.org/"),
        ("https://shop.example:443*", "https://shop.example/jobs"),
        ("https://shop.example:*", "https://shop.example:8443/jobs"),
        ("https://shop.example:443/*", "https://shop.example/jobs"),
        ("https://shop.example/jobs?a=*", "https://shop.example/jobs?a=1"),
        ("*", "https://shop.example/jobs"),
        (re.compile(r"https://.*/jobs\?a=\d"), "https://shop.example/jobs?a=1"),
    ],
)
def test_a_pattern_matches(pattern, url):
    assert UrlPattern(pattern).matches(url)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("https://shop.example/jobs", "https://shop.example/jobs/"),
        ("https://shop.example/jobs", "https://shop.example/jobs/7"),
        ("https://shop.example/jobs?a=1", "https://shop.example/jobs"),
        ("https://shop.example/jobs?a=1", "https://shop.example/jobs?a=1&b=2"),
        ("https://shop.example/jobs/*", "https://shop.example/jobs"),
        ("https://shop.example/jobs/*", "https://api.example/jobs/7"),
        ("https://shop.example/*", "http://shop.example/jobs"),
        ("https://shop.example:443*", "https://shop.example.org/"),
        ("https://shop.example:443*", "https://shop.example:4430/"),
        (re.compile(r"https://shop\.example/jobs"), "https://shop.example/jobs/7"),
        (re.compile(r"jobs"), "https://shop.example/jobs"),
    ],
)
def test_a_pattern_does_not_match(pattern, url):
    assert not UrlPattern(pattern).matches(url)


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example", "https://shop.example?a=1"),
        ("https://shop.example/", "https://SHOP.example:443/jobs"),
        ("https://shop.example/api", "https://shop.example/api"),
        ("https://shop.example/api", "https://shop.example/api/x"),
        ("https://shop.example/api", "https://shop.example/api?x"),
        ("https://shop.example/api/", "https://shop.example/api"),
        ("https://shop.example", "https://user:pass@shop.example/@a"),
    ],
)
def test_a_url_is_under_its_mount_point(prefix, url):
    assert under(prefix, url)


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://shop.example/api", "https://shop.example/apix"),
        ("https://shop.example/api", "https://shop.example/"),
        ("https://shop.example", "https://shop.example.org/"),
        ("https://shop.example", "https://shop.example:8443/"),
        ("https://shop.example", "https://shop.example@api.example/"),
        ("https://shop.example", "http://shop.example/"),
        ("https://shop.example/a/b", "https://shop.example/a%2Fb"),
    ],
)
def test_a_url_is_not_under_another_mount_point(prefix, url):
    assert not under(prefix, url)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.8.9.10", "::1", "[::1]", "[0:0::1]"])
def test_these_hosts_are_this_machine_for_sure(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.example",
        "127.0.0.1.example",
        "128.0.0.1",
        "0.0.0.0",
        "::2",
        "[::ffff:127.0.0.1]",
        "::1%lo",
        "10.0.0.1",
    ],
)
def test_these_hosts_may_be_another_machine(host):
    assert not is_loopback(host)


def test_a_pattern_without_a_star_means_exactly_one_url():
    assert UrlPattern("https://SHOP.example:443").exact == "https://shop.example/"
    assert UrlPattern("https://shop.example/*").exact is None
    assert UrlPattern(re.compile(r"https://shop\.example/")).exact is None


def test_a_pattern_prints_as_it_was_written():
    assert str(UrlPattern("https://shop.example/*")) == "https://shop.example/*"
    assert str(UrlPattern(re.compile(r"https://shop\.example/\d"))) == r"/https://shop\.example/\d/"


@pytest.mark.parametrize("remembering", [parse_destination, split, server, normalize])
def test_what_is_remembered_of_urls_is_bounded(remembering):
    for number in range(5_000):
        remembering(f"https://shop.example/{number}")
    assert remembering.cache_info().currsize == 4_096
