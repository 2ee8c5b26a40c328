"""Odd and hostile answers of a metadata service, ready to play against any client.

    @pytest.mark.parametrize("answer", hostile_answers(), ids=str)
    def test_my_client_copes(ramrole_cloud, answer):
        answer.play(ramrole_cloud)
        ...

A client copes when it ends in credentials or in an error of its own kind, within its time limit, and prints no secret.
`outcome` says which of the two a careful client ends in: "ok" (credentials, after a retry where needed), "refused" (an
error), or "either" where both are defensible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.fake_cloud import FakeCloud

Outcome = Literal["ok", "refused", "either"]

_PORTAL = "<html><head><title>Sign in</title></head><body>Please accept the terms of use.</body></html>"


@dataclass(frozen=True, slots=True)
class HostileAnswer:
    """One odd answer.

    Args:
        name: what it is, in a few words.
        where: the step it strikes: "token", "role", "credentials" or "metadata".
        what: the fault, as `Faults.add` takes it.
        outcome: what a careful client ends in.
        options: of the fault.
    """

    name: str
    where: str
    what: str | int
    outcome: Outcome = "refused"
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def play(self, cloud: FakeCloud) -> None:
        """Let the cloud answer this way from now on."""
        cloud.faults.add(self.where, self.what, label=self.name, **self.options)

    def __str__(self) -> str:
        return f"{self.where}: {self.name}"


def hostile_answers() -> tuple[HostileAnswer, ...]:
    """Every answer in the collection; each is played alone."""
    return (*_token_answers(), *_listings(), *_documents(), *_connections())


def _token_answers() -> list[HostileAnswer]:
    return [
        HostileAnswer("not found (private cloud)", "token", 404, "ok"),
        HostileAnswer("method not allowed", "token", 405, "ok"),
        HostileAnswer("not implemented", "token", 501, "ok"),
        HostileAnswer("forbidden by a proxy", "token", 403, "ok"),
        HostileAnswer("bad request", "token", 400),
        HostileAnswer("unauthorized", "token", 401),
        HostileAnswer("unavailable for ever", "token", 503),
        HostileAnswer("unavailable once", "token", 503, "ok", {"times": 1}),
        HostileAnswer("throttled once", "token", 429, "ok", {"times": 1, "retry_after": 1}),
        HostileAnswer("empty", "token", "garbage-body", "refused", {"body": ""}),
        HostileAnswer("captive portal", "token", "garbage-body", "refused", {"body": _PORTAL}),
        HostileAnswer("line ends inside", "token", "garbage-body", "refused", {"body": "abc\r\nX-Evil: 1"}),
        HostileAnswer("a hundred thousand characters", "token", "garbage-body", "refused", {"body": "t" * 100_000}),
    ]


def _listings() -> list[HostileAnswer]:
    bodies: list[tuple[str, str, Outcome]] = [
        ("empty", "", "refused"),
        ("blank", " \n\n", "refused"),
        ("ends in a newline", "web\n", "ok"),
        ("two names", "web\nother", "ok"),
        ("directory form", "web/", "ok"),
        ("path traversal", "../../user-data", "refused"),
        ("dots", "..", "refused"),
        ("a query in the name", "web?x=1", "refused"),
        ("ten thousand characters", "w" * 10_000, "refused"),
        ("JSON", '["web"]', "refused"),
        ("HTML", _PORTAL, "refused"),
        ("terminal escapes", "\x1b[31mweb", "refused"),
        ("zero byte", "we\0b", "refused"),
    ]
    return [HostileAnswer(name, "role", "garbage-body", outcome, {"body": body}) for name, body, outcome in bodies]


def _documents() -> list[HostileAnswer]:
    bodies: list[tuple[str, str | bytes]] = [
        ("empty", ""),
        ("HTML", _PORTAL),
        ("cut JSON", '{"AccessKeyId": "STS.x"'),
        ("JSON array", "[]"),
        ("JSON null", "null"),
        ("no JSON", "AccessKeyId=STS.x"),
        ("nested ten thousand deep", "[" * 10_000),
        ("latin-1", b'{"Code": "Succ\xe8s"}'),
        ("lower-case keys", '{"accesskeyid": "a", "accesskeysecret": "b", "securitytoken": "c", "code": "Success"}'),
    ]
    answers = [HostileAnswer(name, "credentials", "garbage-body", "refused", {"body": body}) for name, body in bodies]
    for key in ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration", "Code"):
        answers.append(HostileAnswer(f"without {key}", "credentials", "document", "refused", {"drop": [key]}))
        wrong: tuple[object, ...] = (None, "", 7, [], {}, True)
        for value in wrong:
            options = {"set": {key: value}}
            answers.append(HostileAnswer(f"{key} is {value!r}", "credentials", "document", "refused", options))
    expirations: list[tuple[str, Outcome]] = [
        ("2001-01-01T00:00:00Z", "refused"),
        ("not-a-date", "refused"),
        ("2023-02-30T00:00:00Z", "refused"),
        ("2090-01-01T00:00:00", "refused"),
        ("9999-12-31T23:59:59Z", "ok"),
        ("2090-01-01T08:00:00.123Z", "ok"),
        ("2090-01-01T08:00:00+08:00", "ok"),
    ]
    answers += [
        HostileAnswer(f"Expiration {text}", "credentials", "document", outcome, {"set": {"Expiration": text}})
        for text, outcome in expirations
    ]
    answers.append(HostileAnswer("Code Failed", "credentials", "document", "refused", {"set": {"Code": "Failed"}}))
    nonsense = {"set": {"LastUpdated": "never", "Message": "hello"}}
    answers.append(HostileAnswer("nonsense beside the point", "credentials", "document", "ok", nonsense))
    return answers


def _connections() -> list[HostileAnswer]:
    return [
        HostileAnswer("redirect to another host", "metadata", "redirect"),
        HostileAnswer("redirect to itself", "credentials", "redirect", "refused", {"location": "/latest/"}),
        HostileAnswer("unavailable for ever", "credentials", 500),
        HostileAnswer("unavailable once", "credentials", 500, "ok", {"times": 1}),
        HostileAnswer("teapot", "credentials", 418),
        HostileAnswer("proxy wants authentication", "metadata", 407),
        HostileAnswer("reset once", "credentials", "reset", "ok", {"times": 1}),
        HostileAnswer("reset for ever", "metadata", "reset"),
        HostileAnswer("closed without a byte, once", "credentials", "close", "ok", {"times": 1}),
        HostileAnswer("cut inside the body, once", "credentials", "truncate", "ok", {"times": 1}),
        HostileAnswer("cut inside the body", "credentials", "truncate"),
        HostileAnswer("eight megabytes", "credentials", "oversize"),
        HostileAnswer("eight megabytes without a length", "role", "oversize", "refused", {"length": False}),
        HostileAnswer("no HTTP at all", "credentials", "garbage"),
        HostileAnswer("a flood of informational answers", "role", "informational", "either"),
        HostileAnswer("dripping", "role", "drip", "ok", {"interval": 0.02}),
        HostileAnswer("a picture, it says", "credentials", "header", "ok", _header("Content-Type", "image/png")),
        HostileAnswer("says gzip and is not", "credentials", "header", "either", _header("Content-Encoding", "gzip")),
        HostileAnswer("Date a year ago", "metadata", "date", "ok", {"seconds": -365 * 86400.0}),
        HostileAnswer("unreadable Date", "metadata", "date", "ok", {"value": "yesterday"}),
        HostileAnswer("no Date", "metadata", "no-date", "ok"),
    ]


def _header(name: str, value: str) -> Mapping[str, Any]:
    return {"name": name, "value": value}
