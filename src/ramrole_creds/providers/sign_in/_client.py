"""The client that CloudSSO and OAuth sign-ins share: one POST, and two spellings of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramrole_creds._formats.credential_json import json_object, safe_code, safe_message, safe_request_id, text_of
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds.errors import FetchError, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.provider import FetchContext

_SIGN_IN_SECTION = reference("sign-in-again")


class SignInRefused(FetchError):
    """The sign-in service refused the request.

    Args:
        code: its error code.
        status: HTTP status of the answer.
    """

    def __init__(self, message: str = "", *, code: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, unrecoverable=400 <= status < 500 and status != 429, retry_after=retry_after)
        self.code = code
        self.status = status


class SignInClient:
    """Sends requests to a sign-in service.

    Args:
        title: the name of the service in messages.
        again: how a user signs in again, for messages.
        connect_timeout: time limit for connecting, in seconds.
        read_timeout: time limit for each read, in seconds.
    """

    def __init__(self, title: str, again: str, *, connect_timeout: float, read_timeout: float) -> None:
        self._title = title
        self._again = again
        self._timeouts = (connect_timeout, read_timeout)

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        context: FetchContext,
        *,
        retry: bool = True,
    ) -> dict[str, object]:
        """The JSON object in the service's answer.

        Args:
            url: the URL.
            headers: headers to send beside Accept.
            body: the body to send.
            context: has the time limit of the fetch; the server's time is recorded in it.
            retry: False if the request must not be sent twice.

        Raises:
            SignInRefused: the service refused the request.
            FetchError: the service could not be reached, or its answer cannot be used.
        """
        transport = HttpTransport(*self._timeouts, use_environment=url.startswith("https:"))
        try:
            answer = transport.request(
                "POST",
                url,
                headers={"Accept": "application/json", **headers},
                body=body,
                time_limit=context.remaining(),
                retry=retry,
            )
        except HttpError as error:
            problem = str(error)
        else:
            make_error = self.error_factory(url, answer.status)
            if answer.status != 200:
                try:
                    document = json_object(answer.body, make_error)
                except FetchError:
                    document = {}
                raise self._refused(url, answer.status, document, answer.retry_after())
            document = json_object(answer.body, make_error)
            served_at = answer.server_time()
            if served_at is not None:
                context.record_server_time(served_at)
            return document
        raise FetchError(f"{self._title} could not be reached. {problem} Check the network and HTTPS_PROXY.")

    def error_factory(self, url: str, status: int = 200) -> Callable[[str], FetchError]:
        """A function that makes an error of what is wrong with an answer."""
        return lambda what: FetchError(
            f"{self._title}: POST {safe_url(url)} answered {status} with {what}. The answer is not used."
        )

    def expired(self, what: str) -> FetchError:
        """An error that lasts until the user signs in again."""
        return FetchError(f"{self._title}: {what}. {self._again}{_SIGN_IN_SECTION}", unrecoverable=True)

    def _refused(self, url: str, status: int, document: dict[str, object], retry_after: float | None) -> SignInRefused:
        code = safe_code(_first_text(document, "ErrorCode", "error", "code"))
        message = safe_message(_first_text(document, "ErrorMessage", "error_description", "message"))
        request = safe_request_id(_first_text(document, "RequestId", "requestId")) or "not given"
        said = ": ".join(part for part in (code, message) if part) or "no reason given"
        hint = f" {self._again}{_SIGN_IN_SECTION}" if 400 <= status < 500 and status != 429 else ""
        seen = f"HTTP {status}, RequestId {request}"
        return SignInRefused(
            f"{self._title} refused POST {safe_url(url)} ({seen}): {said.rstrip('.')}.{hint}",
            code=code,
            status=status,
            retry_after=retry_after,
        )


def _first_text(document: dict[str, object], *names: str) -> str:
    return next((text for name in names if (text := text_of(document, name))), "")
