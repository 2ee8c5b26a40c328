"""The ECS instance whose metadata is served: its items, and the role attached to it over time."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account.ram_policy import TRUST_ECS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ramrole_creds.testing.account.account import Account
    from ramrole_creds.testing.account.credential_store import IssuedCredentials

INSTANCE_ID = "i-bp1fake0000000000001"
MAX_OVERLAP_SECONDS = 30 * 60
FOREVER = math.inf

_MAC = "00:16:3e:0f:fa:ce"
_NIC = f"network/interfaces/macs/{_MAC}"
DEFAULT_ITEMS: Mapping[str, str] = {
    "dns-conf/nameservers": "100.100.2.136\n100.100.2.138",
    "eipv4": "203.0.113.10",
    "hibernation/configured": "false",
    "hostname": "fake-instance",
    "image-id": "aliyun_3_x64_20G_alibase_20240528.vhd",
    "image/market-place/charge-type": "",
    "image/market-place/product-code": "",
    "instance-id": INSTANCE_ID,
    "instance/instance-name": "fake-instance",
    "instance/instance-type": "ecs.g7.large",
    "instance/max-netbw-egress": "2097152",
    "instance/max-netbw-ingress": "2097152",
    "instance/virtualization-solution": "ECS Virt",
    "instance/virtualization-solution-version": "2.0",
    "kms-server": "kms.cloud.aliyuncs.com",
    "mac": _MAC,
    "network-type": "vpc",
    f"{_NIC}/gateway": "192.168.0.253",
    f"{_NIC}/netmask": "255.255.255.0",
    f"{_NIC}/network-interface-id": "eni-bp1fake0000000000001",
    f"{_NIC}/primary-ip-address": "192.168.0.1",
    f"{_NIC}/private-ipv4s": '["192.168.0.1"]',
    f"{_NIC}/vpc-cidr-block": "192.168.0.0/16",
    f"{_NIC}/vpc-id": "vpc-bp1fake0000000000001",
    f"{_NIC}/vswitch-cidr-block": "192.168.0.0/24",
    f"{_NIC}/vswitch-id": "vsw-bp1fake0000000000001",
    "ntp-conf/ntp-servers": "ntp1.aliyun.com\nntp2.aliyun.com\nntp3.aliyun.com\nntp4.aliyun.com",
    "owner-account-id": "1234567890123456",
    "private-ipv4": "192.168.0.1",
    "region-id": "cn-hangzhou",
    "serial-number": "4acd2b47-b328-4762-852f-fa0e00000001",
    "source-address": "http://mirrors.cloud.aliyuncs.com",
    "vpc-cidr-block": "192.168.0.0/16",
    "vpc-id": "vpc-bp1fake0000000000001",
    "vswitch-cidr-block": "192.168.0.0/24",
    "vswitch-id": "vsw-bp1fake0000000000001",
    "wsus-server/wu-server": "http://update.cloud.aliyuncs.com",
    "wsus-server/wu-status-server": "http://update.cloud.aliyuncs.com",
    "zone-id": "cn-hangzhou-i",
}
# The identity document has these, in this order.
_DOCUMENT_KEYS = (
    "zone-id",
    "serial-number",
    "instance-id",
    "region-id",
    "private-ipv4",
    "owner-account-id",
    "mac",
    "image-id",
)


class RoleAlreadyAttached(Exception):
    """An instance has one role at most; detach the other one first, or replace it."""


@dataclass(eq=False, slots=True)
class Attachment:
    """A role on the instance, as the metadata service sees it from one moment to another."""

    role_name: str
    visible_from: float
    visible_until: float = FOREVER
    session_policy: Mapping[str, Any] | None = None
    current: IssuedCredentials | None = None
    replaced_from: float = 0.0  # when the next read issues others


class Instance:
    """One instance; safe for many threads.

    Args:
        account: the account with the roles that can be attached.
        credential_lifetime: seconds for which each set of credentials lives.
        instance_id: the ID of the instance, which is part of the name of its sessions.
    """

    def __init__(self, account: Account, *, credential_lifetime: float, instance_id: str = INSTANCE_ID) -> None:
        self.account: Account = account
        """The account, with its roles."""
        self.instance_id: str = instance_id
        """The id of the instance."""
        self.credential_lifetime: float = credential_lifetime
        """Seconds that issued credentials live."""
        self.items: dict[str, str | bytes] = {
            **DEFAULT_ITEMS,
            "instance-id": instance_id,
            "owner-account-id": account.account_id,
        }
        """The metadata items by their paths below `/latest/meta-data/`."""
        self.user_data: bytes | None = None
        """The answer of `/latest/user-data`; None for 404."""
        self.vendor_data: bytes | None = None
        """The answer of `/latest/vendor-data`; None for 404."""
        self.network_type: str = "vpc"
        """Either "vpc", or "classic", in which no role can be attached."""
        self.events: str = "[]"
        """The answer for scheduled system events, as JSON."""
        self._attachments: list[Attachment] = []
        self._lock = threading.Lock()  # guards _attachments and what each has issued

    def attach(
        self,
        role_name: str,
        now: float,
        delay: float = 0.0,
        *,
        allow_second: bool = False,
        session_policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Attach a role; the metadata service shows it after `delay` seconds.

        Args:
            role_name: a role of the account; made with all permissions when there is none.
            now: Unix seconds.
            delay: propagation, 60 to 120 s on the real service.
            allow_second: allow a second role, which the real service never does.
            session_policy: narrows the role on this instance.

        Raises:
            RoleAlreadyAttached: the instance has one.
        """
        if self.account.role(role_name) is None:
            self.account.add_role(role_name, trust=TRUST_ECS)
        with self._lock:
            others = [one.role_name for one in self._attachments if one.visible_until == FOREVER]
            if others and not allow_second:
                raise RoleAlreadyAttached(
                    f"{self.instance_id} has the role {others[0]!r} already, and an instance has one at most: "
                    "detach_role() first, or replace_role()."
                )
            self._attachments.append(Attachment(role_name, now + delay, session_policy=session_policy))

    def detach(self, now: float, role_name: str | None = None, delay: float = 0.0) -> list[str]:
        """Detach one role, or all. What was issued stays valid until it expires.

        Returns:
            The names of the roles that were detached.
        """
        gone = []
        with self._lock:
            for one in self._attachments:
                if one.visible_until == FOREVER and role_name in (None, one.role_name):
                    one.visible_until = max(now + delay, one.visible_from)
                    gone.append(one.role_name)
            self._attachments = [one for one in self._attachments if one.visible_until > now]
        return gone

    def attached(self) -> list[str]:
        """The roles that the ECS API shows as attached; the metadata service may show them later."""
        with self._lock:
            return [one.role_name for one in self._attachments if one.visible_until == FOREVER]

    def visible_roles(self, now: float) -> list[str]:
        """The roles that the metadata service lists."""
        with self._lock:
            return [one.role_name for one in self._attachments if one.visible_from <= now < one.visible_until]

    def credentials(self, role_name: str, now: float) -> IssuedCredentials | None:
        """What the metadata service gives for a role now; None when it is not attached.

        The same credential is repeated until min(30 minutes, half its life) before its end; then the next one is
        issued, and both are valid.
        """
        role = self.account.role(role_name)
        if role is None:
            return None
        with self._lock:
            for one in self._attachments:
                if one.role_name == role_name and one.visible_from <= now < one.visible_until:
                    if one.current is None or now >= one.replaced_from:
                        identity = role.session(f"vm-ram-{self.instance_id}")
                        issued_at = math.floor(now)
                        lifetime = math.ceil(now + self.credential_lifetime) - issued_at
                        one.current = self.account.issuer.issue(
                            identity, now=issued_at, lifetime=lifetime, session_policy=one.session_policy
                        )
                        one.replaced_from = issued_at + lifetime - min(MAX_OVERLAP_SECONDS, lifetime / 2)
                    return one.current
        return None

    def rotate(self) -> None:
        """Issue new credentials at the next read, whatever the life of the present ones."""
        with self._lock:
            for one in self._attachments:
                one.current = None

    def identity_document(self) -> str:
        """The dynamic identity document: one line of JSON."""
        document = {key: _text(self.items.get(key, "")) for key in _DOCUMENT_KEYS}
        document["instance-type"] = _text(self.items.get("instance/instance-type", ""))
        return json.dumps(document, separators=(",", ":"))


def document_of(issued: IssuedCredentials, *, compact: bool = False) -> str:
    """The credential document, key for key and blank for blank as the metadata service prints it."""
    document = {
        "AccessKeyId": issued.access_key_id,
        "AccessKeySecret": issued.access_key_secret,
        "Expiration": utc(issued.expires_at or 0.0),
        "SecurityToken": issued.security_token or "",
        "LastUpdated": utc(issued.issued_at),
        "Code": "Success",
    }
    if compact:
        return json.dumps(document, separators=(",", ":"))
    return json.dumps(document, indent=2, separators=(",", " : "))


def utc(unix: float) -> str:
    """YYYY-MM-DDTHH:MM:SSZ."""
    return datetime.fromtimestamp(unix, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
