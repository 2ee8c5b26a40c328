from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ramrole_creds import (
    ConfigurationError,
    CredentialsUriProvider,
    FetchError,
    ProviderUnavailable,
)

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

METADATA_PATH = "/latest/meta-data/ram/security-credentials/web"


class TestCredentialsUri:
    def test_the_variable_names_it(self, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", cloud.url + METADATA_PATH)
        credentials = CredentialsUriProvider(clock=cloud.clock).get_credentials()
        assert credentials.provider_name == "credential_uri"
        assert credentials.expiration is not None

    def test_nothing_configured_is_unavailable(self) -> None:
        with pytest.raises(ProviderUnavailable):
            CredentialsUriProvider().get_credentials()

    @pytest.mark.parametrize(
        "uri",
        [
            "http://10.0.0.1/x",
            "http://nobody.localhost/x",
            "http://127.0.0.1:99999/x",
            "http://[::1/x",
            "http://example.com/hunter2?hunter2",
            "ftp://x",
            "x",
            "http://",
            "http://attacker\\@127.0.0.1/",
            "http://attacker%2f@127.1/",
            "http://\uff11\uff12\uff17.0.0.1/",
        ],
    )
    def test_an_unsafe_or_invalid_url_is_refused(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ConfigurationError) as raised:
            CredentialsUriProvider(uri)
        assert "hunter2" not in str(raised.value)
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", uri)
        with pytest.raises(FetchError):
            CredentialsUriProvider().get_credentials()

    @pytest.mark.parametrize(
        "uri", ["http://localhost/x", "http://[::1]:8/x", "http://169.254.1.2/x", "https://example.com/x"]
    )
    def test_this_machine_and_https_are_allowed(self, uri: str) -> None:
        assert "would ask" in CredentialsUriProvider(uri).explain()

    def test_another_host_is_allowed_on_demand(self) -> None:
        assert "would ask" in CredentialsUriProvider("http://10.0.0.1/x", allow_http=True).explain()

    def test_a_redirect_is_not_followed(self, cloud: FakeCloud) -> None:
        cloud.faults.add("credentials", 302, headers={"Location": "http://127.0.0.1:1/"})
        with pytest.raises(FetchError, match="Redirects are not followed"):
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()

    @pytest.mark.parametrize(
        ("status", "says"),
        [(404, "Check the path of the URL"), (503, "Try again later"), (401, "what the service that answers")],
    )
    def test_a_refusal_says_what_to_check(self, cloud: FakeCloud, status: int, says: str) -> None:
        cloud.faults.add("credentials", status)
        with pytest.raises(FetchError, match=rf"answered {status} with an empty body\. .*{says}"):
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()

    @pytest.mark.parametrize(
        "body", ["", "[]", "{}", '{"Code":"Failed","AccessKeyId":"a","AccessKeySecret":"hunter2"}', '{"AccessKeyId":7}']
    )
    def test_an_answer_without_credentials_is_reported_without_its_values(self, cloud: FakeCloud, body: str) -> None:
        cloud.faults.add("credentials", 200, body=body)
        with pytest.raises(FetchError) as raised:
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()
        assert "hunter2" not in str(raised.value)

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            pytest.param("<!DOCTYPE html><title>Sign in</title>", "with an HTML page", id="html"),
            pytest.param("ok", "are not a JSON object", id="text"),
        ],
    )
    def test_a_page_in_place_of_credentials_is_named_with_what_is_expected(
        self, cloud: FakeCloud, body: str, says: str
    ) -> None:
        cloud.faults.add("credentials", 200, body=body)
        with pytest.raises(FetchError, match=f"{says}.*Check that the URL is that of the credentials service"):
            CredentialsUriProvider(cloud.url + METADATA_PATH, clock=cloud.clock).get_credentials()

    def test_a_service_that_does_not_listen_is_an_error(self) -> None:
        with pytest.raises(FetchError, match=r"Check that its service is running\. ") as raised:
            CredentialsUriProvider("http://127.0.0.1:9/x").get_credentials()
        assert "ALIBABA_CLOUD_CREDENTIALS_URI" not in str(raised.value), "nothing looked at the variable"

    def test_the_variable_is_named_where_the_url_comes_from_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:9/x")
        with pytest.raises(FetchError, match="or unset ALIBABA_CLOUD_CREDENTIALS_URI to use another source"):
            CredentialsUriProvider().get_credentials()
