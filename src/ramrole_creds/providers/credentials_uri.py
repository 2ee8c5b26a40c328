"""Credentials that a local service returns at a URL: PAI, sidecars, development containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ramrole_creds._checks import checked_flag
from ramrole_creds._http.errors import HttpError
from ramrole_creds._http.transport import HttpTransport, safe_url
from ramrole_creds._http.urls import InvalidUrlError, parse_url
from ramrole_creds.credentials import sealed
from ramrole_creds.errors import ConfigurationError, FetchError, ProviderUnavailable, cannot_be_pickled
from ramrole_creds.provider import CredentialProvider
from ramrole_creds.providers.variables import URI_VARIABLE, argument_or_variable, rename_hint

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ramrole_creds._http.transport import HttpResponse
    from ramrole_creds.credentials import Credentials
    from ramrole_creds.provider import FetchContext, ProviderOptions


class CredentialsUriProvider(CredentialProvider):
    """Fetches credentials from a URL that answers in the format of the metadata service.

    Plain http is allowed for this machine (loopback and link-local addresses) only, since the answer is a secret.
    Redirects are not followed.

    Args:
        uri: the URL; else ALIBABA_CLOUD_CREDENTIALS_URI, read when the provider is made.
        allow_http: allow plain http to any host.
        connect_timeout: time limit for connecting, in seconds.
        read_timeout: time limit for each read, in seconds.
        options: `policy`, `clock` and `on_event`, as for every provider.

    Raises:
        ConfigurationError: `uri` is not a URL, it is plain http to another machine, or another argument is not valid.
    """

    name: ClassVar[str] = "credential_uri"

    def __init__(
        self,
        uri: str | None = None,
        *,
        allow_http: bool = False,
        connect_timeout: float = 1.0,
        read_timeout: float = 2.0,
        **options: Unpack[ProviderOptions],
    ) -> None:
        super().__init__(**options)
        self._allow_http = checked_flag("allow_http", allow_http)
        self._problem: str | None = None
        asked = argument_or_variable(uri, URI_VARIABLE)
        self._uri = sealed(asked)  # its user or its query may be a secret
        if asked is not None:
            self._problem = _problem_with(asked, "uri" if uri else URI_VARIABLE, allow_http=allow_http)
            if uri and self._problem is not None:
                raise ConfigurationError(self._problem)
        self._way_out = "" if uri else f", or unset {URI_VARIABLE} to use another source"
        # A URL from the variable is not part of a pickle.
        self._holds_secret = bool(uri) and (parse_url(uri).has_user or parse_url(uri).query is not None)
        https = asked is not None and asked.lower().startswith("https:")
        self._transport = HttpTransport(connect_timeout, read_timeout, use_environment=https)

    def fetch(self, context: FetchContext) -> Credentials:
        """Ask the URL now.

        Raises:
            ProviderUnavailable: no URL is configured. That is certain: only settings are read.
            FetchError: the URL is not allowed, does not answer, or its answer cannot be used.
        """
        uri = self._uri()
        if uri is None:
            raise ProviderUnavailable(f"{URI_VARIABLE} is not set.{rename_hint(URI_VARIABLE)}")
        if self._problem is not None:
            raise FetchError(self._problem, unrecoverable=True)
        shown = safe_url(uri)
        try:
            answer = self._transport.request("GET", uri, time_limit=context.remaining())
        except HttpError as error:
            problem = str(error)
        else:
            credentials = _read(answer, f"The credentials URI {shown}")
            served_at = answer.server_time()
            if served_at is not None:
                context.record_server_time(served_at)
            context.recheck_after()
            return credentials
        raise FetchError(
            f"The credentials URI did not answer. {problem} Check that its service is running{self._way_out}."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        if self._holds_secret:
            raise cannot_be_pickled(
                "This CredentialsUriProvider cannot be pickled: the user, password or query of its URL may be a "
                f"secret, which the pickle would carry to other processes and files. Set {URI_VARIABLE} there instead."
            )
        return super().__reduce__()

    def explain(self) -> str:
        """What a fetch would do."""
        uri = self._uri()
        if uri is None:
            return f"{URI_VARIABLE} is not set.{rename_hint(URI_VARIABLE)}"
        return f"would ask {safe_url(uri)}" if self._problem is None else f"broken: {self._problem}"


def _read(answer: HttpResponse, asked: str) -> Credentials:
    from ramrole_creds._formats.credential_json import PASCAL_CASE, json_object, read_credentials, safe_code

    def make_error(what: str) -> FetchError:
        return FetchError(
            f"{asked} answered {answer.status} with {what}. The answer is not used. Correct the service that answers "
            "there."
        )

    def not_json(what: str) -> FetchError:
        what = "an HTML page" if answer.body.lstrip()[:1] == b"<" else what
        return FetchError(
            f"{asked} answered {answer.status} with {what}. The answer is not used. Check that the URL is that of the "
            "credentials service: it must answer with a JSON object that has AccessKeyId and AccessKeySecret."
        )

    if answer.status != 200:
        raise FetchError(
            f"{asked} answered {answer.status} with {answer.describe_body()}. {_hint_for(answer.status)}",
            retry_after=answer.retry_after(),
        )
    document = json_object(answer.body, make_error if answer.body.lstrip()[:1] == b"{" else not_json)
    code = document.get("Code", "Success")
    if code != "Success":
        raise make_error(f"a document whose Code {safe_code(code)} is not Success")
    return read_credentials(
        document,
        PASCAL_CASE,
        make_error,
        provider_name=CredentialsUriProvider.name,
        token_required=False,
        expiration_required=False,
    )


def _hint_for(status: int) -> str:
    """What to do about an answer of this status."""
    if 300 <= status < 400:
        return "Redirects are not followed. Give the final URL."
    if status >= 500 or status == 429:
        return "Try again later, and read the log of the service that answers there."
    return "Check the path of the URL, and what the service that answers there requires."


def _problem_with(uri: str, source: str, *, allow_http: bool) -> str | None:
    """Why the URL is not allowed; None if it is. Shows no part that may be secret."""
    try:
        url = parse_url(uri)
    except InvalidUrlError as error:
        return f"{source} must be an http or https URL; {error}."
    if url.scheme == "https" or allow_http or url.is_loopback or url.is_link_local:
        return None
    return (
        f"{source}: plain http to {url.host} would send credentials over the network unprotected. Use https, or an "
        "address of this machine. If you trust the network, use CredentialsUriProvider(uri, allow_http=True)."
    )
