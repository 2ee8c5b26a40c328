"""Copies of a signed request are signed for its host only; pickles of it, and of its answer, are not signed at all."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
import requests

from ramrole_creds import signing
from ramrole_creds.integrations.httpx import HttpxAuth
from ramrole_creds.integrations.requests import RequestsAuth
from tests.integrations.http.test_foreign_transports import ACTION, assert_unsigned

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud


@pytest.mark.may_leak  # RPC has the token in the URL of a GET, which clients log
@pytest.mark.parametrize("scheme", [signing.ACS3, signing.RPC])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("send", [requests.request, httpx.request], ids=["requests", "httpx"])
def test_a_pickled_answer_has_its_request_without_token_and_signature(
    send: Any, method: str, scheme: Any, cloud: FakeCloud, provider: Any
) -> None:
    signer = signing.Signer(provider, scheme(), clock=cloud.clock)
    auth = RequestsAuth(signer) if send is requests.request else HttpxAuth(signer)
    form = {"x": "y"} if method == "POST" else None
    url = f"{cloud.url}/?Action=DescribeRegions&Version=2014-05-26"
    answer = send(method, url, data=form, headers=ACTION, auth=auth, timeout=10)
    assert answer.status_code == 200, answer.text

    request = pickle.loads(pickle.dumps(answer.request))

    assert (request.method, str(request.url)) == (method, url)
    assert request.headers["x-acs-action"] == "DescribeRegions"
    assert provider.current.security_token.encode() not in pickle.dumps(answer.request)
    assert b"Signature" not in pickle.dumps(answer.request).replace(b"unsigned", b"")
    if scheme is signing.ACS3:
        assert pickle.loads(pickle.dumps(answer)).status_code == 200


@pytest.mark.may_leak  # as above
@pytest.mark.parametrize("send", [requests.request, httpx.request], ids=["requests", "httpx"])
def test_a_request_that_was_signed_twice_is_pickled_as_it_was_given(send: Any, cloud: FakeCloud, provider: Any) -> None:
    signer = signing.Signer(provider, signing.RPC(), clock=cloud.clock)
    auth = RequestsAuth(signer) if send is requests.request else HttpxAuth(signer)
    url = f"{cloud.url}/?Action=DescribeRegions&Version=2014-05-26"
    cloud.clock.advance(hours=2)
    answer = send("GET", url, auth=auth, timeout=10)
    assert answer.status_code == 200, answer.text
    assert len(provider.refreshed) == 1
    assert str(pickle.loads(pickle.dumps(answer.request)).url) == url


@pytest.mark.parametrize("send", [requests.Session, httpx.Client], ids=["requests", "httpx"])
def test_a_request_that_was_sent_elsewhere_is_pickled_with_where_it_went(
    send: Any, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    with send() as client:
        auth = RequestsAuth(signer) if send is requests.Session else HttpxAuth(signer)
        request = client.get(cloud.url, headers=ACTION, auth=auth, timeout=10).request
    request.url = type(request.url)(stranger.url + "/")
    assert str(pickle.loads(pickle.dumps(request)).url) == stranger.url + "/"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_request_of_httpx_is_sent_and_goes_nowhere_else(
    copied: Any, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    class Copying(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            elsewhere = copied(request)
            elsewhere.url = httpx.URL(stranger.url)
            super().handle_request(elsewhere).read()
            return super().handle_request(copied(request))

    with httpx.Client(transport=Copying()) as client:
        answer = client.post(cloud.url, headers=ACTION, content=b"{}", auth=HttpxAuth(signer))
    assert answer.status_code == 200, answer.text
    assert len(stranger.requests) == 1
    assert_unsigned(stranger)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_request_of_requests_goes_nowhere_else(
    copied: Any, cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    with requests.Session() as session:
        request = copied(session.get(cloud.url, headers=ACTION, auth=RequestsAuth(signer), timeout=10).request)
        assert request.headers["authorization"]
        request.url = stranger.url
        session.send(request, timeout=10)
    assert len(stranger.requests) == 1
    assert_unsigned(stranger)


@pytest.mark.may_leak  # RPC has the token in the URL of a GET, which clients log
@pytest.mark.parametrize("first", [signing.ACS3, signing.RPC])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_a_request_that_is_signed_again_by_somebody_else_has_nothing_of_the_first(
    client: str, method: str, first: Any, cloud: FakeCloud, provider: Any
) -> None:
    alice = signing.Signer(provider, first(), clock=cloud.clock)
    theirs = type(provider)(cloud)
    bob = signing.Signer(theirs, signing.SLSV1(), clock=cloud.clock)
    form = {"x": "y"} if method == "POST" else None
    url = f"{cloud.url}/?Action=DescribeRegions&Version=2014-05-26"
    if client == "requests":
        with requests.Session() as session:
            prepared = session.prepare_request(
                requests.Request(method, url, ACTION, data=form or [], auth=RequestsAuth(alice))
            )
            session.send(RequestsAuth(bob)(prepared), timeout=10)
    else:
        with httpx.Client() as http:
            request = http.build_request(method, url, headers=ACTION, data=form)
            http.send(request, auth=HttpxAuth(alice))
            http.send(request, auth=HttpxAuth(bob))

    last = cloud.requests[-1].request
    everything = f"{last.target} {last.headers} {last.body!r}"
    assert theirs.current.security_token in everything
    assert quote(provider.current.security_token, safe="") not in everything
    assert provider.current.security_token not in everything
    assert provider.current.access_key_id not in everything


def test_a_request_of_httpx_that_is_signed_again_keeps_the_trace_of_its_program(
    cloud: FakeCloud, signer: signing.Signer, provider: Any
) -> None:
    seen: list[str] = []
    other = signing.Signer(type(provider)(cloud), signing.ACS3(), clock=cloud.clock)
    with httpx.Client() as client:
        request = client.build_request(
            "GET", cloud.url, headers=ACTION, extensions={"trace": lambda event, _: seen.append(event)}
        )
        client.send(request, auth=HttpxAuth(signer))
        client.send(request, auth=HttpxAuth(other))
    assert seen.count("http11.send_request_headers.started") == 2


def test_a_request_of_httpx_may_be_sent_again_elsewhere_by_the_program(
    cloud: FakeCloud, stranger: FakeCloud, signer: signing.Signer
) -> None:
    """It is the program that names the other host, and no redirect."""
    with httpx.Client() as client:
        request = client.build_request("GET", cloud.url, headers=ACTION)
        client.send(request, auth=HttpxAuth(signer))
        request.url = httpx.URL(stranger.url)
        request.headers["Host"] = request.url.netloc.decode()
        client.send(request, auth=HttpxAuth(signer))
    assert stranger.requests[0].header("authorization")
