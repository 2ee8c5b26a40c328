"""The one parser of URLs: what it accepts means the same to every client."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import urllib3
import urllib3.util
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ramrole_creds._http.urls import InvalidUrlError, Url, parse_url, resolve_redirect

TRICKY = "\\@:/?#[]%.-_ \t\r\n\x00\x7f\u3002\uff0f\uff20\uff61\u2100ßéA0x1a;,&=+$!*'()~|^{}<>\"`"
NUMBERS = ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "1.2.3.256", "\uff11.1.1.1"]
IPV6 = ["[::1]", "[::0001]", "::1", "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.x]"]
NAMES = ["good", "GOOD", "evil.example", "localhost", "good.", "good..", ".good", "a_b", "-a", "a-"]
ENCODED = ["xn--bcher-kva", "b\xfccher", "%67ood", "good%00", "\uff47ood", ""]
hosts = st.sampled_from([*NUMBERS, *IPV6, *NAMES, *ENCODED])
users = st.sampled_from(
    ["", "", "", "user@", "user:pass@", "@", "a@b@", "good\\@", "good%40", "good:80@", "%5c@", "a/@"]
)
ports = st.sampled_from(["", "", ":80", ":", ":0", ":65535", ":65536", ":080", ":٨٠", ":80a", ":-1", ":+80", ": 80"])
rests = st.sampled_from(["", "/", "/x", "?q", "#f", "\\x", "/\\evil", "/..//x", "?@evil/", "#@evil/", ";x", "//evil"])
schemes = st.sampled_from(["http://", "https://", "HTTP://", "http:/", "http:///", "http:", "//", "ftp://", " http://"])
composed = st.builds("{}{}{}{}{}".format, schemes, users, hosts, ports, rests)
noise = st.text(st.sampled_from(TRICKY), max_size=4)
noisy = st.builds("http://{}{}{}/".format, hosts, noise, hosts)


def host_and_port(host: str | None, port: int | None, scheme: str) -> tuple[str, int]:
    """Host and port in a form that can be compared."""
    name = (host or "").strip("[]").lower()
    with contextlib.suppress(ValueError):
        name = str(ipaddress.ip_address(name))
    return name, port or {"http": 80, "https": 443}[scheme]


def readings(text: str) -> dict[str, tuple[str, int]]:
    """Host and port as each parser of the field reads them."""
    scheme = text.partition(":")[0].lower()
    split = urlsplit(text)
    wire = urllib3.util.parse_url(text)
    other = yarl.URL(text)
    last = httpx.URL(text)
    return {
        "urllib.parse": host_and_port(split.hostname, split.port, scheme),
        "urllib3": host_and_port(wire.host, wire.port, scheme),
        "yarl": host_and_port(other.raw_host, other.port, scheme),
        "httpx": host_and_port(last.raw_host.decode(), last.port, scheme),
    }


@settings(max_examples=1500, deadline=None)
@given(composed | noisy | st.text(st.sampled_from(TRICKY + "htps"), max_size=20))
@example("http://good\\@evil/")
@example("http://attacker\\@127.0.0.1/")
@example("http://good\uff0f@evil/")
@example("http://good%2f@evil/")
def test_an_accepted_url_has_the_same_host_and_port_for_every_parser(text: str) -> None:
    try:
        url = parse_url(text)
    except InvalidUrlError:
        return
    expected = host_and_port(url.host, url.port, url.scheme)
    assert readings(text) == dict.fromkeys(["urllib.parse", "urllib3", "yarl", "httpx"], expected)


@settings(max_examples=800, deadline=None)
@given(composed | noisy | st.text(st.sampled_from(TRICKY + "htps"), max_size=12))
def test_a_redirect_leads_where_every_client_goes(location: str) -> None:
    base = "https://first.example:8443/a/b?c"
    try:
        url = resolve_redirect(parse_url(base), location)
    except InvalidUrlError:
        return
    expected = host_and_port(url.host, url.port, url.scheme)
    joined = [
        urljoin(base, location),
        str(yarl.URL(base).join(yarl.URL(location))),
        str(httpx.URL(base).join(location)),
    ]
    for target in joined:
        assert readings(target)["urllib3"] == expected, target


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://Host", Url("http", "host", None)),
        ("HTTPS://host:443/p?q=1", Url("https", "host", 443, "/p", "q=1")),
        ("http://[::0001]:8", Url("http", "::1", 8)),
        ("http://u:p@host/#f", Url("http", "host", None, "/", has_user=True, has_fragment=True)),
        ("http://a-b.c_d:1/\\", Url("http", "a-b.c_d", 1, "/\\")),
    ],
    ids=["name", "query", "ipv6", "user", "underscore"],
)
def test_a_url_has_parts(text: str, url: Url) -> None:
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("host", "begin with http"),
        ("ftp://host", "begin with http"),
        ("http://", "host and port"),
        ("http://a b", "blank"),
        ("http://a\n", "blank"),
        ("http://good\\@evil/", "host and port"),
        ("http://a%41", "host and port"),
        ("http://[::1", "host and port"),
        ("http://[:::1]", "IPv6"),
        ("http://[fe80::1%25eth0]", "host and port"),
        ("http://127.1", "IPv4"),
        ("http://0x7f.0.0.1", "host and port|IPv4"),
        ("http://1.2.3.4.", "IPv4"),
        ("http://a..b", "host name"),
        ("http://" + "a" * 64, "host name"),
        ("http://" + "a." * 200 + "b", "host name"),
        ("http://a:0", "port"),
        ("http://a:65536", "port"),
        ("http://a:", "host and port"),
        ("http://bücher.example", "Punycode"),
        (None, "NoneType"),
    ],
    ids=range(21),
)
def test_anything_else_is_refused_with_a_reason(text: object, reason: str) -> None:
    with pytest.raises(InvalidUrlError, match=reason):
        parse_url(text)


@pytest.mark.parametrize(
    ("host", "loopback", "link_local"),
    [
        ("localhost", True, False),
        ("LOCALHOST.", True, False),
        ("127.8.9.1", True, False),
        ("[::1]", True, False),
        ("169.254.1.2", False, True),
        ("[fe80::1]", False, True),
        ("a.localhost", False, False),
        ("127.0.0.1.evil", False, False),
        ("10.0.0.1", False, False),
    ],
)
def test_an_address_of_this_machine_is_known(host: str, loopback: bool, link_local: bool) -> None:
    url = parse_url(f"http://{host}/")
    assert (url.is_loopback, url.is_link_local) == (loopback, link_local)


def test_the_authority_is_that_of_the_host_header() -> None:
    assert parse_url("http://Host:80/x").base == "http://host"
    assert parse_url("https://[::1]:80/x").base == "https://[::1]:80"
    assert parse_url("http://host.:80").origin == parse_url("http://host").origin
    assert parse_url("http://host").origin != parse_url("https://host").origin
