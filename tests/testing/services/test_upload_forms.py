"""Upload forms whose policy is not one: OSS says what is wrong with it."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import pytest
import requests

from ramrole_creds import Credentials, Signer, signing
from ramrole_creds.testing import FakeCloud

END = "2099-01-01T00:00:00.000Z"
POLICIES: dict[str, tuple[object, str]] = {
    "not an object": ([], "InvalidPolicyDocument"),
    "no conditions": ({"expiration": END}, "InvalidPolicyDocument"),
    "no expiration": ({"conditions": []}, "InvalidPolicyDocument"),
    "an expiration in words": ({"expiration": "soon", "conditions": []}, "InvalidPolicyDocument"),
    "a condition that is text": ({"expiration": END, "conditions": ["key"]}, "InvalidPolicyDocument"),
    "an unknown operator": ({"expiration": END, "conditions": [["like", "$key", "a"]]}, "InvalidPolicyDocument"),
    "a size in words": (
        {"expiration": END, "conditions": [["content-length-range", "0", "9"]]},
        "InvalidPolicyDocument",
    ),
    "a file that is too large": ({"expiration": END, "conditions": [["content-length-range", 0, 2]]}, "EntityTooLarge"),
    "a file that is small": ({"expiration": END, "conditions": [["content-length-range", 9, 99]]}, "EntityTooSmall"),
    "another bucket": ({"expiration": END, "conditions": [{"bucket": "other"}]}, "AccessDenied"),
    "a key that is not allowed": ({"expiration": END, "conditions": [["not-in", "$key", ["a.txt"]]]}, "AccessDenied"),
    "an end that has passed": ({"expiration": "2020-01-01T00:00:00.000Z", "conditions": []}, "AccessDenied"),
}  # fmt: skip


def answer(document: object, **fields: str | None) -> requests.Response:
    """What OSS says to a form with this policy; a field that is None is left out."""
    with FakeCloud() as cloud:
        issued = cloud.access_key()
        key = Credentials(issued.access_key_id, issued.access_key_secret)
        form = Signer(key, signing.OSSV1(), clock=cloud.clock).post_form(json.dumps(document))
        given = {name: value for name, value in {**form, "key": "a.txt", **fields}.items() if value is not None}
        return requests.post(f"{cloud.url}/bucket", data=given, files={"file": b"content"}, timeout=10)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_cannot_hold_is_refused_with_its_reason(name: str) -> None:
    policy, code = POLICIES[name]
    response = answer(policy)
    assert response.status_code in (400, 403)
    assert f"<Code>{code}</Code>" in response.text


def test_a_form_without_a_key_or_with_a_broken_policy_is_refused() -> None:
    policy = {"expiration": END, "conditions": [["starts-with", "$key", ""]]}
    assert answer(policy).status_code in (200, 204)
    assert answer(policy, key=None).status_code == 400
    assert answer(policy, policy="%%%").status_code in (400, 403)
    assert answer(policy, Signature=None, OSSAccessKeyId=None).status_code == 403


def test_a_v4_form_says_when_it_was_signed_and_its_policy_repeats_what_it_says() -> None:
    with FakeCloud() as cloud:
        issued = cloud.access_key()
        key = Credentials(issued.access_key_id, issued.access_key_secret)
        signer = Signer(key, signing.OSSV4("cn-hangzhou"), clock=cloud.clock)
        end = cloud.clock.time() + 600
        form = signer.post_form({"expiration": datetime.fromtimestamp(end, timezone.utc), "conditions": []})

        def posted(**fields: str) -> requests.Response:
            data = {**form, "key": "a.txt", **fields}
            return requests.post(f"{cloud.url}/bucket", data=data, files={"file": b"x"}, timeout=10)

        assert posted().status_code == 204
        assert "x-oss-date" in posted(**{"x-oss-date": "today"}).text
        bare = base64.b64encode(json.dumps({"expiration": END, "conditions": []}).encode()).decode()
        assert posted(policy=bare).status_code == 403
        some = [["starts-with", f"${name}", ""] for name in ("x-oss-signature-version", "x-oss-credential")]
        lacking = posted(**signer.post_form(json.dumps({"expiration": END, "conditions": some})))
        assert "the policy has no condition on x-oss-date" in lacking.text


def test_a_part_of_a_form_that_has_no_name_is_passed_over() -> None:
    with FakeCloud() as cloud:
        issued = cloud.access_key()
        key = Credentials(issued.access_key_id, issued.access_key_secret)
        policy = {"expiration": END, "conditions": [["starts-with", "$key", ""]]}
        form = Signer(key, signing.OSSV1(), clock=cloud.clock).post_form(json.dumps(policy))
        parts = [("key", "a.txt"), *form.items(), ("file", "content")]
        heads = [(f'; name="{name}"', content) for name, content in parts]
        lines = [f"--b\r\nContent-Disposition: form-data{head}\r\n\r\n{text}\r\n" for head, text in [("", "?"), *heads]]
        response = requests.post(
            f"{cloud.url}/bucket",
            data="".join([*lines, "--b--\r\n"]).encode(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
            timeout=10,
        )
    assert response.status_code == 204, response.text


def test_a_form_may_send_the_browser_on() -> None:
    policy = {"expiration": END, "conditions": [["starts-with", "$key", ""]]}
    with FakeCloud() as cloud:
        issued = cloud.access_key()
        key = Credentials(issued.access_key_id, issued.access_key_secret)
        form = Signer(key, signing.OSSV1(), clock=cloud.clock).post_form(json.dumps(policy))
        data = {**form, "key": "a.txt", "success_action_redirect": f"{cloud.url}/done"}
        files = {"file": b"x"}
        answer = requests.post(f"{cloud.url}/bucket", data=data, files=files, timeout=10, allow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{cloud.url}/done")
