"""A pasted error message leads to its section: the code that the search of the manual runs, without a browser."""

from __future__ import annotations

import ast
import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ramrole_creds import EcsRamRoleProvider, MetadataError, OidcRoleArnProvider, RamRoleError, StsError
from ramrole_creds._formats.error_codes import CODES
from ramrole_creds.testing.verify import error_catalogs

if TYPE_CHECKING:
    from ramrole_creds.testing import FakeCloud

ROOT = Path(__file__).parents[2]
GENERATED = runpy.run_path(str(ROOT / "docs" / "generated.py"))
SECTIONS = {section["anchor"]: section for section in GENERATED["error_sections"]()}
NODE = shutil.which("node")
# Sphinx's own list is longer; the search leaves such words out.
STOPWORDS = (
    "a an and any are as at be because been but by for from has have if in into is it no not of on or so the to what"
)

# What services and other libraries print where credentials are wrong, by the section that must be found first.
FOREIGN = {
    "stserror-role": [
        "EntityNotExist.Role",
        "The specified Role not exists.",
        (
            "No permission perform sts:AssumeRole on this Role. Maybe you are not authorized to perform "
            "sts:AssumeRole or the specified role does not trust you"
        ),
        "AuthenticationFail.NoPermission",
    ],
    "stserror-oidc-token": ["AuthenticationFail.OIDCToken.Expired", "AuthenticationFail.OIDCToken.AudienceNotMatch"],
    "stserror-argument": ["InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/1hr."],
    "the-token-has-expired": [
        "InvalidSecurityToken.Expired",
        "SecurityTokenExpired",
        "Specified SecurityToken is expired.",
        "The security token you provided has expired.",
        (
            "{'status': 403, 'x-oss-request-id': '6', 'details': {'Code': 'SecurityTokenExpired', 'Message': 'The "
            "security token you provided has expired.', 'RequestId': '65F', 'HostId': 'b.oss.aliyuncs.com'}}"
        ),
        "Error: InvalidSecurityToken.Expired code: 400, Specified SecurityToken is expired. request id: 1FCA-2",
        "ExpiredToken",
    ],
    "the-key-or-the-token-is-not-known": [
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId",
        "InvalidSecurityToken.Malformed",
        "InvalidSecurityToken.MismatchWithAccessKey",
        "MissingSecurityToken",
        "The OSS Access Key Id you provided does not exist in our records.",
        "The security token you provided is invalid.",
        "HTTP Status: 404 Error:InvalidAccessKeyId.NotFound Specified access key is not found. RequestID: 5BA",
    ],
    "the-signature-does-not-match": [
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "ODPS-0410042",
        (
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method."
        ),
        "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&AccessKeyId%3DLTAI",
    ],
    "the-clock-is-wrong": [
        "RequestTimeTooSkewed",
        "IllegalTimestamp",
        "InvalidTimeStamp.Expired",
        "InvalidTimeStamp.Format",
        "RequestTimeExpired",
        "The difference between the request time and the current time is too large.",
        "Specified time stamp or date value is expired.",
    ],
    "the-same-request-came-twice": ["SignatureNonceUsed", "Specified signature nonce was used already."],
    "the-identity-has-no-permission": [
        "NoPermission",
        "AccessDenied",
        "Forbidden.RAM",
        "403 Forbidden",
        "You are not authorized to do this action. You should be authorized by RAM.",
        "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
        "You have no right to access this object because of bucket acl.",
        (
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
            "future requests to this endpoint."
        ),
        "denied by sts or ram, action: log:GetLogStoreLogs, resource: acs:log:cn-hangzhou:1:project/p/logstore/l",
    ],
    "too-many-requests": ["Throttling.User", "Throttling", "QpsLimitExceeded"],
    "no-connection": [
        (
            "HTTPConnectionPool(host='100.100.100.200', port=80): Max retries exceeded with url: /latest/meta-data/ram/"
            "security-credentials/ (Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f>: "
            "Failed to establish a new connection: [Errno 111] Connection refused'))"
        ),
        (
            "requests.exceptions.ReadTimeout: HTTPConnectionPool(host='100.100.100.200', port=80): Read timed out. "
            "(read timeout=1)"
        ),
        "ConnectTimeoutError",
        "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authentication'))",
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain "
            "(_ssl.c:1006)"
        ),
        "certificate verify failed: certificate is not yet valid",
        "[Errno -2] Name or service not known",
    ],
    "official-libraries": [
        (
            "unable to load credentials from any of the providers in the chain: ["
            "'EnvironmentVariableCredentialsProvider: Environment variable accessKeyId cannot be empty']"
        ),
        "Failed to get RAM session credentials from ECS metadata service. HttpCode=404",
        "refresh Ecs sts token err, httpStatus: 404, message = not found",
        "SDK.InvalidCredential Need a ak&secret pair or public_key_id&private_key pair to auth.",
        "Failed to get credentials from ECS metadata service. HTTPConnectionPool",
        "IMDS credentials is disabled",
        "Unable to locate credentials",
    ],
    "roleapierror": ["InvalidUser.PassRoleForbidden", "InvalidRamRole.NotFound", "InvalidNetworkType.MismatchRamRole"],
}
ORDINARY = [
    "refresh",
    "credentials",
    "rotate credentials in kubernetes",
    "how do I test my app with pytest",
    "EcsRamRoleProvider",
    "RefreshPolicy advisory window",
    "oss2 bucket example",
    "what is the default chain of providers",
]


def search(*messages: str) -> list[list[str]]:
    """The anchors that the search finds for each message, the best one first."""
    if NODE is None:
        pytest.skip("node runs the code of the search")
    code = (
        f"const stopwords = new Set({json.dumps(STOPWORDS.split())});\n{GENERATED['search_code']()}\n"
        "const errors = new ErrorSections(ERROR_SECTIONS);\n"
        "const asked = JSON.parse(require('fs').readFileSync(0, 'utf-8'));\n"
        "console.log(JSON.stringify(asked.map((message) => errors.find(message).map(({anchor}) => anchor))));\n"
    )
    done = subprocess.run(
        [NODE, "-e", code], input=json.dumps(messages), capture_output=True, text=True, encoding="utf-8", check=True
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_what_services_and_other_libraries_print_leads_to_the_section_about_it() -> None:
    pairs = [(anchor, text) for anchor, texts in FOREIGN.items() for text in texts]
    found = search(*(text for _, text in pairs))
    wrong = [(text, anchors) for (anchor, text), anchors in zip(pairs, found, strict=True) if anchors[:1] != [anchor]]
    assert wrong == []


def test_a_message_of_this_library_leads_to_the_section_that_its_last_line_names(ramrole_cloud: FakeCloud) -> None:
    messages = {}
    for where, status in (("role", 403), ("role", 503), ("credentials", 302), ("credentials", 404)):
        ramrole_cloud.faults.clear()
        ramrole_cloud.faults.add(where, status)
        with pytest.raises(RamRoleError) as raised:
            EcsRamRoleProvider().get_credentials()
        assert isinstance(raised.value, MetadataError)
        messages[raised.value.section] = str(raised.value)
    assert set(messages) == {f"metadataerror-{part}" for part in ("refused", "overloaded", "proxy", "credentials")}
    assert [anchors[0] for anchors in search(*messages.values())] == list(messages)


def test_half_configured_rrsa_leads_to_the_section_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/var/run/token")
    with pytest.raises(
        RamRoleError, match=r"\(docs: troubleshooting\.html#rrsa-is-configured-only-in-part\)$"
    ) as raised:
        OidcRoleArnProvider(session_name="name").get_credentials()
    assert search(str(raised.value))[0][0] == "rrsa-is-configured-only-in-part"


def test_ordinary_words_are_left_to_the_ordinary_search() -> None:
    assert dict(zip(ORDINARY, search(*ORDINARY), strict=True)) == {words: [] for words in ORDINARY}


def test_every_code_that_the_library_knows_is_on_the_page() -> None:
    known = {code.removesuffix(".*") for codes in CODES.values() for code in codes}
    described = {code for section in SECTIONS.values() for code in section["codes"]}
    assert {code for code in known if not any(one == code or one.startswith(f"{code}.") for one in described)} == set()


@pytest.mark.parametrize("case", ["unknown_key", "wrong_token", "expired_token", "skewed", "mismatch", "forbidden"])
def test_every_refusal_that_the_fake_cloud_plays_is_on_the_page(case: str) -> None:
    described = {code for section in SECTIONS.values() for code in section["codes"]}
    catalogs = [value for value in vars(error_catalogs).values() if isinstance(value, error_catalogs.ErrorCatalog)]
    assert {getattr(catalog, case).code for catalog in catalogs} - described == set()


def warnings_of_the_code() -> list[str]:
    """The texts of the warnings that the package logs, in which … is what they fill in."""
    found = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "_log.warning",
                "logger.warning",
                "log.warning",
            }:
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    found.append(re.sub(r"%[.\w]*[a-z]", "…", str(text.value)))
    return found


def test_every_warning_of_the_log_is_on_the_page_and_is_found() -> None:
    texts = warnings_of_the_code()
    assert len(texts) > 12
    found = search(*texts)
    expected = {"warnings-in-the-log", "the-identity-changed-from"}
    assert [text for text, anchors in zip(texts, found, strict=True) if not expected & set(anchors)] == []


def test_an_answer_of_sts_without_a_code_leads_to_what_may_answer_in_its_place() -> None:
    assert StsError("m", status=502).section == "stserror-no-answer"


def test_each_section_has_an_anchor_of_its_own() -> None:
    page: Any = GENERATED["HEADING"].findall((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    assert len(SECTIONS) == len(page)
