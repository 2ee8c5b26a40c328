"""What the two protocols of object storage share: buckets, judgement and the error document."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ramrole_creds.testing.services.denial import no_right
from ramrole_creds.testing.services.markup import error_content, xml_response
from ramrole_creds.testing.services.object_storage import perform
from ramrole_creds.testing.services.signed_service import SignedCall, SignedService
from ramrole_creds.testing.services.storage_call import StorageCall
from ramrole_creds.testing.verify import oss_address
from ramrole_creds.testing.verify.canonical import header_map

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ramrole_creds.testing.account.access import Access
    from ramrole_creds.testing.account.credential_store import CredentialStore
    from ramrole_creds.testing.server.messages import WireRequest, WireResponse
    from ramrole_creds.testing.services.bucket_store import BucketStore
    from ramrole_creds.testing.services.denial import Denial
    from ramrole_creds.testing.services.service import ServiceError
    from ramrole_creds.testing.verify import Rejected


class StorageService(SignedService):
    """Object storage in one of its protocols.

    Subclasses set `key_name` too, the element that repeats the AccessKey ID in an error document.
    """

    key_name: ClassVar[str]

    def __init__(self, issuer: CredentialStore, store: BucketStore) -> None:
        super().__init__(issuer)
        self.store: BucketStore = store

    def answer(self, call: SignedCall) -> WireResponse:
        """Do what the request asks."""
        return perform(self.stored(call))

    def needs(self, call: SignedCall) -> Iterable[Access]:
        """None yet: each operation judges what it needs."""
        return ()

    def stored(self, call: SignedCall) -> StorageCall:
        """The call to storage that a signed call makes."""
        request, address = call.request, oss_address(call.request)
        return StorageCall(
            request=request,
            bucket_name=address.bucket,
            key=address.key,
            query=call.query,
            headers=header_map(request),
            body=request.body,
            store=self.store,
            caller=call.caller,
            region=call.region.removeprefix("oss-"),
            prefix=self.mark,
            require=lambda needed: self.require(call, *needed),
        )

    def denied(self, denial: Denial) -> ServiceError:
        """`AccessDenied` with its detail."""
        return no_right(denial)

    def refuse(self, request: WireRequest, request_id: str, refused: Rejected) -> WireResponse:
        """Code and message, what the server signed and what it got, the fine code and where to read on."""
        content = {**error_content(request, request_id, refused), **dict(refused.extra)}
        ec = refused.ec or dict(refused.extra).get("EC")
        further = {
            self.key_name: refused.access_key_id,
            "SignatureProvided": refused.signature_provided,
            "StringToSign": refused.string_to_sign,
            "CanonicalRequest": refused.canonical_request,
            "EC": ec,
            "RecommendDoc": f"https://api.aliyun.com/troubleshoot?q={ec}" if ec else None,
        }
        content |= {name: value for name, value in further.items() if value is not None}
        return xml_response("Error", content, status=refused.status)
