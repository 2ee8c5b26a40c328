"""One object of every signature scheme, for the tests of what all of them promise."""

from __future__ import annotations

import inspect
from typing import Any

from ramrole_creds import signing

# What the constructors must be given, and what makes a scheme sign more.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "ACS3": (("user-agent",),),
    "MNSV4": ("cn-hangzhou",),
    "ODPSV2": ("https://service.example.com/api",),
    "ODPSV4": ("https://service.example.com/api", "cn-hangzhou"),
    "OSSV1": ("examplebucket",),
    "OSSV2": ("examplebucket",),
    "OSSV4": ("cn-hangzhou", "examplebucket"),
    "OTSV2": ("instance",),
    "OTSV4": ("instance", "cn-hangzhou"),
    "SLSV4": ("cn-hangzhou",),
    "SigV4": ("cn-hangzhou",),
}
SCHEMES: dict[str, signing.Scheme] = {
    name: kind(*ARGUMENTS.get(name, ()))
    for name in signing.__all__
    if inspect.isclass(kind := getattr(signing, name)) and issubclass(kind, signing.Scheme) and name != "Scheme"
}
