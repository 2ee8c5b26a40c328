"""The credentials at STS, the clock, and the way to the services through the proxy that will be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ramrole_creds import ConfigurationError, FetchContext, RamRoleError, StsError, default_region
from ramrole_creds._discovery.region import REGION_VARIABLES
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds._http.urls import InvalidUrlError, parse_proxy, parse_url
from ramrole_creds.cli.diagnosis.report import Check
from ramrole_creds.cli.diagnosis.variables import proxies_of
from ramrole_creds.clock import SYSTEM_CLOCK
from ramrole_creds.errors import message_of
from ramrole_creds.sts import StsClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ramrole_creds import Credentials
    from ramrole_creds.sts import CallerIdentity

TIME_LIMIT_SECONDS: Final = 10.0
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 60.0
MAX_SIGNATURE_AGE_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Verification:
    """What STS says about credentials.

    Args:
        url: where it was asked.
        caller: whose they are.
        error: why it did not say.
        proxy: the proxy on the way, "" for none.
    """

    url: str
    caller: CallerIdentity | None = None
    error: RamRoleError | None = None
    proxy: str = ""

    @property
    def reached(self) -> bool:
        """True where STS has an address that was asked."""
        return not isinstance(self.error, ConfigurationError)

    @property
    def refused(self) -> bool:
        """True where STS answered, and does not accept the credentials."""
        return isinstance(self.error, StsError) and bool(self.error.code)


def verify_at_sts(credentials: Credentials) -> Verification:
    """Ask STS whose credentials these are (GetCallerIdentity, which needs no permission)."""
    try:
        client = StsClient()
    except RamRoleError as error:
        return Verification("STS", error=error)
    proxy = proxy_for(client.url)
    try:
        caller = client.get_caller_identity(credentials, FetchContext.create(TIME_LIMIT_SECONDS))
    except RamRoleError as error:
        return Verification(client.url, error=error, proxy=proxy)
    return Verification(client.url, caller, proxy=proxy)


def check_verification(verification: Verification) -> Check:
    """The line about it."""
    by = f" through the proxy {verification.proxy}" if verification.proxy else ""
    where = f"STS at {safe_url(verification.url)}{by}"
    if verification.caller is not None:
        return Check("sts", "ok", f"{where} accepts the credentials: {verification.caller.arn}.")
    details = (message_of(verification.error),)
    if isinstance(verification.error, ConfigurationError):
        return Check("sts", "failed", f"STS cannot be called: {message_of(verification.error)}")
    if verification.refused and isinstance(verification.error, StsError):
        return Check("sts", "failed", f"{where} rejects the credentials: {verification.error.code}.", details)
    return Check("sts", "warning", f"{where} does not answer: the credentials are not verified.", details)


def check_clock(difference: float | None) -> Check:
    """The line about this machine's clock.

    Args:
        difference: the server's time less this machine's, in seconds; None where no answer had a date.
    """
    if difference is None:
        return Check("clock", "skipped", "The clock was not compared: no answer had a date.")
    text = describe_clock(difference)
    if abs(difference) <= MAX_CLOCK_DIFFERENCE_SECONDS:
        return Check("clock", "ok", f"This machine's clock and the server's differ by {abs(difference):.0f} s.")
    if abs(difference) <= MAX_SIGNATURE_AGE_SECONDS:
        return Check("clock", "warning", f"{text}: set it, with chrony for instance.")
    return Check("clock", "failed", f"{text}: services reject signatures whose time is 15 minutes off. Set the clock.")


def describe_clock(difference: float) -> str:
    """How far this machine's clock is off, for a server's time that is so many seconds later."""
    direction = "behind" if difference > 0 else "ahead of"
    return f"This machine's clock is {abs(difference):.0f} s {direction} the server's"


def server_ahead_seconds(url: str) -> float | None:
    """The server's time less this machine's, from the `Date` of any answer; None where there is none."""
    transport = HttpTransport(3.0, 5.0, use_environment=url.startswith("https:"))
    try:
        date = transport.request("GET", url, time_limit=TIME_LIMIT_SECONDS, retry=False).server_time()
    except HttpError:
        return None
    return None if date is None else date - SYSTEM_CLOCK.time()


def check_proxies() -> Iterator[Check]:
    """The proxy variables, without user and password."""
    names = proxies_of(os.environ)
    if names:
        values = {name: os.environ[name] for name in names}
        shown = tuple(
            f"{name} = {value if name.lower() == 'no_proxy' else _shown(value)}" for name, value in values.items()
        )
        text = f"{', '.join(names)}: never used for the metadata service, used for STS and the other services."
        yield Check("proxies", "ok", text, shown)


def check_region_endpoint(sts_url: str) -> Iterator[Check]:
    """Whether the ECS endpoint of the region is reached; not where STS is on loopback, as with a fake cloud."""
    try:
        url = f"https://ecs.{default_region()}.aliyuncs.com"
    except RamRoleError as error:
        yield _without_region(error)
        return
    try:
        if parse_url(sts_url).is_loopback:
            return
    except ValueError:  # STS itself has no valid address
        return
    proxy = proxy_for(url)
    by = f" through the proxy {proxy}" if proxy else ""
    try:
        HttpTransport(3.0, 5.0, use_environment=True).request("GET", url, time_limit=TIME_LIMIT_SECONDS, retry=False)
    except HttpError as error:
        yield Check("region", "warning", f"{url} does not answer{by}.", (error.message,))
    else:
        yield Check("region", "ok", f"{url} answers{by}.")


def _without_region(error: RamRoleError) -> Check:
    named = any(os.environ.get(name) for name in REGION_VARIABLES)
    if named and isinstance(error, ConfigurationError):
        return Check("region", "failed", f"The region is not valid: {error.message}")
    return Check("region", "skipped", "No region is known: its endpoint was not asked.", (error.message,))


def proxy_variables() -> str:
    """The variables that name the proxy of https requests."""
    names = [name for name in proxies_of(os.environ) if name.lower() in ("https_proxy", "all_proxy")]
    return " and ".join(names) or "HTTPS_PROXY"


def proxy_for(url: str) -> str:
    """The proxy that a request to `url` uses, without user and password; "" for none."""
    if not url.startswith("https:"):
        return ""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    return _shown(proxy) if proxy else ""


def _shown(proxy: str) -> str:
    """The URL of a proxy without user and password."""
    try:
        return parse_proxy(proxy)
    except InvalidUrlError as error:
        return f"(not the URL of a proxy: {error})"
