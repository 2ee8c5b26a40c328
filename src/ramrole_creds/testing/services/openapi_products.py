"""What RAM policies name in the calls of the products behind the OpenAPI gateway.

Known, from "RAM authorization" of the products: an action is `<code>:<API>`, a resource
`acs:<code>:<region>:<account>:<kind>/<id>`, and `<kind>/*` where a call lists or creates what has no id yet
(`ecs:DescribeDisks`, `ecs:CreateDisk`). KMS names the containers `key`, `secret` and `alias` instead, asks for no
permission for DescribeRegions, and refuses with `Forbidden.NoPermission` ("Common error codes" of KMS). Assumed: which
parameter names which kind, and which of the other APIs list or create what: those whose name is a verb and the kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ramrole_creds.testing.account.ram_policy import MAX_COLONS
from ramrole_creds.testing.services.markup import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The code in RAM of the product that a version stands for, where the host name does not say.
CODES: Mapping[str, str] = {
    "2014-05-26": "ecs",
    "2014-08-15": "rds",
    "2014-05-15": "slb",
    "2014-08-28": "ess",
    "2022-02-22": "ess",
    "2015-01-01": "kvstore",
    "2015-01-09": "alidns",
    "2015-04-01": "sts",
    "2015-05-01": "ram",
    "2015-12-01": "dds",
    "2015-12-15": "cs",
    "2016-01-20": "kms",
    "2016-04-28": "vpc",
    "2017-06-26": "nas",
    "2017-08-01": "polardb",
    "2018-05-10": "cdn",
    "2018-08-08": "eci",
    "2018-12-01": "cr",
    "2019-09-10": "ros",
    "2020-06-16": "alb",
    "2020-07-06": "actiontrail",
    "2022-04-30": "nlb",
    "2023-03-30": "fc",
}
UNKNOWN_CODE = "api"
_NO_PERMISSION_NEEDED = frozenset({("kms", "DescribeRegions")})
_CREATED_IN_A_CONTAINER = frozenset({("kms", "CreateSecret")})  # although a parameter names what is created

# Their resource is a key that the ciphertext names, which only KMS can read.
_OF_ANY_KEY = frozenset({("kms", "Decrypt"), ("kms", "ReEncrypt")})


class Kind(NamedTuple):
    """A kind of resource.

    Args:
        name: as resources name it.
        parameter: the parameter that names one, or with an `s` several.
        word: as the names of APIs spell it.
        collection: names all of them, where a call names none.
    """

    name: str
    parameter: str
    word: str
    collection: str


def _kind(name: str, parameter: str, word: str = "") -> Kind:
    return Kind(name, parameter, word or parameter.removesuffix("Id").removesuffix("Name"), f"{name}/*")


_DATABASE = (_kind("dbinstance", "DBInstanceId"),)
_BALANCER = (_kind("loadbalancer", "LoadBalancerId"),)
_DOMAIN = (_kind("domain", "DomainName"),)
KINDS: Mapping[str, tuple[Kind, ...]] = {
    "ecs": (
        _kind("instance", "InstanceId"),
        _kind("disk", "DiskId"),
        _kind("image", "ImageId"),
        _kind("snapshot", "SnapshotId"),
        _kind("securitygroup", "SecurityGroupId"),
        _kind("keypair", "KeyPairName"),
    ),
    "vpc": (_kind("vpc", "VpcId"), _kind("vswitch", "VSwitchId"), _kind("eip", "AllocationId", "EipAddress")),
    "rds": _DATABASE,
    "dds": _DATABASE,
    "kvstore": (_kind("instance", "InstanceId"),),
    "polardb": (_kind("dbcluster", "DBClusterId"),),
    "slb": _BALANCER,
    "alb": _BALANCER,
    "nlb": _BALANCER,
    "ess": (_kind("scalinggroup", "ScalingGroupId"),),
    "nas": (_kind("filesystem", "FileSystemId"),),
    "alidns": _DOMAIN,
    "cdn": _DOMAIN,
    "kms": (
        Kind("key", "KeyId", "Key", "key"),
        Kind("secret", "SecretName", "Secret", "secret"),
        Kind("alias", "AliasName", "Alias", "alias"),
    ),
}


def code_of(host: str, version: str) -> str:
    """The code in RAM of the product that is called; `api` where neither version nor host name says it."""
    known = CODES.get(version)
    if known is not None:
        return known
    return host.partition(".")[0] if host.partition(":")[0].endswith(".aliyuncs.com") else UNKNOWN_CODE


def resources_of(code: str, action: str, path: str, parameters: Mapping[str, str]) -> Iterator[str]:
    """What stands after the account in the resources of a call; nothing for a call that needs no permission."""
    if (code, action) in _NO_PERMISSION_NEEDED:
        return
    function = re.match(r"/2023-03-30/(functions/[^/]+)", path)
    if function:
        yield function[1]
        return
    named = [] if (code, action) in _CREATED_IN_A_CONTAINER else list(_named(code, parameters))
    yield from named or [_unnamed(code, action)]


def refusal_of(code: str, resource: str) -> tuple[str, str]:
    """Code and text with which a product refuses a caller who lacks the permission on a resource."""
    if code == "kms":
        return "Forbidden.NoPermission", f"This operation for {resource} is forbidden by permission system."
    return "Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM."


def _named(code: str, parameters: Mapping[str, str]) -> Iterator[str]:
    kinds = KINDS.get(code, ())
    for kind in kinds:
        for identifier in _listed(kind.parameter, parameters):
            relative = identifier.split(":", MAX_COLONS)[-1] if identifier.startswith("acs:") else identifier
            stated = any(relative.startswith(f"{one.name}/") for one in kinds)  # KMS takes alias/<name> for a key's id
            yield relative if stated else f"{kind.name}/{relative}"


def _unnamed(code: str, action: str) -> str:
    if (code, action) in _OF_ANY_KEY:
        return "key/*"
    for kind in KINDS.get(code, ()):
        if re.fullmatch(rf"[A-Z][a-z]+{kind.word}(s|es)?", action):
            return kind.collection
    return "*"


def _listed(name: str, parameters: Mapping[str, str]) -> list[str]:
    """The values of `Name`, `Name.1` …, and of `Names`: a JSON list, or separated by commas."""
    values = [value for key, value in parameters.items() if re.fullmatch(rf"{name}(\.\d+)?", key)]
    several = parameters.get(f"{name}s", "")
    listed = read_json(several)
    values += map(str, listed) if isinstance(listed, list) else [several]
    return list(dict.fromkeys(one for value in values for one in value.split(",") if one))
