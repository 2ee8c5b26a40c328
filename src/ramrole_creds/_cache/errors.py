"""The errors that callers of a cache get; each caller gets its own copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds.errors import (
    ConfigurationError,
    CredentialsExpired,
    FetchError,
    FetchTimeout,
    LifetimeTooShort,
    WaitTimeout,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ramrole_creds._cache.snapshot import Snapshot
    from ramrole_creds.credentials import Credentials


def fresh_copy(error: Exception) -> Exception:
    """The same error without a traceback: each caller raises its own copy, and none grows with every raise."""
    kind = type(error)
    try:
        twin = kind.__new__(kind, *error.args)  # not its constructor, which may require more or rewrite its text
        twin.args = error.args
        twin.__dict__.clear()  # a new error of ours is marked as ours; its copy is what the original is
        twin.__dict__.update(error.__dict__)
    except Exception:  # noqa: BLE001  # a third party's error may refuse to be copied
        return error.with_traceback(None)
    twin.__cause__ = error.__cause__
    twin.__suppress_context__ = True
    return twin.with_traceback(None)


def expired_error(name: str, held: Credentials, error: Exception) -> CredentialsExpired:
    """The credentials have expired, and `error` is why there are no others."""
    expired = CredentialsExpired(
        f"The credentials of {name} expired at {_shown(held.expiration)} and could not be replaced: {error}"
    )
    expired.__cause__ = fresh_copy(error)
    return expired


def lifetime_error(
    name: str, snapshot: Snapshot, now: float, valid_for: float, error: Exception | None
) -> LifetimeTooShort:
    """No credentials live long enough; names the best there is."""
    left = snapshot.remaining(now)
    expiration = None if snapshot.credentials is None else snapshot.credentials.expiration
    text = (
        f"{name} cannot provide credentials valid for {valid_for:.0f} s: the latest expire in {left:.0f} s "
        f"(at {_shown(expiration)}). "
        "Request a shorter valid_for, or try again when the source has issued newer credentials."
    )
    too_short = LifetimeTooShort(text if error is None else f"{text} The last fetch failed: {error}", available=left)
    too_short.__cause__ = None if error is None else fresh_copy(error)
    return too_short


def ended_error(name: str, seconds: float) -> FetchError:
    """What the source returned had expired already."""
    return FetchError(
        f"{name} returned credentials that had expired {seconds:.0f} s before. Get new credentials from their source, "
        "or correct this machine's clock."
    )


def never_usable_error(name: str, fetches: int) -> CredentialsExpired:
    """The source's credentials expire before they can be used."""
    return CredentialsExpired(
        f"{name} returned credentials that had already expired, {fetches} times. Check the lifetime that it sets."
    )


def wait_error(name: str) -> WaitTimeout:
    """The caller's own `timeout` ran out."""
    return WaitTimeout(
        f"{name} returned no credentials within this call's timeout. The fetch continues in the background: call "
        "again, or pass a longer timeout."
    )


def timeout_error(name: str, seconds: float, hanging: int) -> FetchTimeout:
    """A fetch took longer than `fetch_timeout`, as `hanging` fetches did that have not returned."""
    text = (
        f"{name} did not answer within fetch_timeout ({seconds:g} s), and the fetch was abandoned. Check what it waits "
        "for, or allow more time: RefreshPolicy(fetch_timeout=…)."
    )
    if hanging > 1:
        text += (
            f" {hanging} abandoned fetches hang, and each holds a thread, so new fetches start later and later. Set a "
            "time limit for what they wait for."
        )
    error = FetchTimeout(text)
    error.hanging = hanging
    return error


def reentry_error(name: str) -> FetchError:
    """A thread asks for what it is fetching itself, or for what waits for it."""
    return FetchError(
        f"The credentials of {name} were requested from within their own fetch, and no valid credentials are held. "
        "A fetch cannot wait for itself. What interrupts it (a signal handler, a log handler, a "
        "finalizer) cannot wait for it either. Request the credentials before the fetch or after it."
    )


def hanging_error(name: str, hanging: int) -> FetchError:
    """Too many abandoned fetches have not returned yet."""
    return FetchError(
        f"{hanging} fetches of {name} hang: they were abandoned after fetch_timeout and have not returned. No new "
        "fetch starts. Set a time limit for what they wait for."
    )


def no_thread_error(error: Exception) -> FetchError:
    """A worker could not be started, for want of a thread or for another reason."""
    kind = type(error).__name__
    if isinstance(error, (RuntimeError, MemoryError)):
        return FetchError(
            f"No thread could be started to fetch credentials: {str(error) or kind}. Check the limits of this process."
        )
    return FetchError(f"The fetch of credentials could not be started: {kind}{f': {error}' if str(error) else ''}")


def closed_error(name: str) -> ConfigurationError:
    """The provider was closed."""
    return ConfigurationError(f"This provider ({name}) is closed. Create a new provider, or call close() later.")


def _shown(expiration: datetime | None) -> str:
    return "an unknown time" if expiration is None else f"{expiration:%Y-%m-%dT%H:%M:%SZ}"
