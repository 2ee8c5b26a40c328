"""STS of the fake cloud: sessions, with trust and session policies checked, and real error codes."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ramrole_creds.testing.account import ram_policy as policy
from ramrole_creds.testing.account.access import Access, Judgement
from ramrole_creds.testing.account.account import MIN_SESSION_SECONDS
from ramrole_creds.testing.account.oidc_issuer import InvalidToken, verify_token
from ramrole_creds.testing.account.policy_conditions import texts
from ramrole_creds.testing.account.policy_grammar import parse_policy
from ramrole_creds.testing.account.ram_policy import Decision
from ramrole_creds.testing.services.denial import Denial
from ramrole_creds.testing.services.instance import utc
from ramrole_creds.testing.services.openapi import Answer, Call, OpenApi
from ramrole_creds.testing.services.service import ServiceError
from ramrole_creds.testing.verify.canonical import decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ramrole_creds.testing.account.account import Role
    from ramrole_creds.testing.account.credential_store import IssuedCredentials

DEFAULT_SESSION_SECONDS = 3600
MAX_POLICY_CHARACTERS = 2048
CLOCK_TOLERANCE_SECONDS = 15 * 60

_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_ROLE_ARN = re.compile(r"acs:ram::(\d+):role/([^/]{1,64})", re.IGNORECASE)


class StsService(OpenApi):
    """AssumeRole, AssumeRoleWithOIDC, GenerateSessionAccessKey and GetCallerIdentity.

    Permissions. Known, from "AssumeRole" of STS: the caller needs `sts:AssumeRole` on the role's ARN, and the role must
    trust the caller; `Policy` narrows the session. Assumed: GetCallerIdentity and GenerateSessionAccessKey need none.
    """

    name = "sts"
    version = "2015-04-01"
    anonymous: frozenset[str] = frozenset({"AssumeRoleWithOIDC"})

    @property
    def actions(self) -> Mapping[str, Callable[[Call], Answer]]:
        """The actions by name."""
        return {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithOIDC": self._assume_role_with_oidc,
            "GenerateSessionAccessKey": self._generate_session_access_key,
            "GetCallerIdentity": self._get_caller_identity,
        }

    def _assume_role(self, call: Call) -> Answer:
        caller = call.caller
        role_arn = call.required("RoleArn")
        session_name, duration, session_policy = _session_parameters(call)
        if caller.identity.identity_type == "Account":
            raise ServiceError("NoPermission", "Roles may not be assumed by root accounts.", 403)
        call.require_permission("sts:AssumeRole", role_arn)
        role = self._role(role_arn)
        _check_duration(duration, role.max_session_seconds)
        given = {"sts:ExternalId": call.parameters["ExternalId"]} if "ExternalId" in call.parameters else {}
        context = self.account.issuer.authorizer.context(caller, given, call.at)
        if not policy.trusts(role.trust, "sts:AssumeRole", "RAM", _names(caller), context):
            judgement = Judgement(Decision.IMPLICIT_DENY, "AssumeRolePolicy")
            denial = Denial(caller, Access("sts:AssumeRole", role_arn), judgement)
            raise ServiceError(
                "NoPermission",
                "No permission perform sts:AssumeRole on this Role. Maybe you are not authorized to perform "
                "sts:AssumeRole or the specified role does not trust you",
                403,
                extra=(("AccessDeniedDetail", denial.detail),),
            )
        return self._session(role, session_name, duration, session_policy, call.at)

    def _assume_role_with_oidc(self, call: Call) -> Answer:
        provider_arn = call.required("OIDCProviderArn")
        role_arn = call.required("RoleArn")
        token = call.required("OIDCToken")
        session_name, duration, session_policy = _session_parameters(call)
        issuer = self.account.oidc_issuers.get(provider_arn)
        if issuer is None:
            raise ServiceError("AuthenticationFail.NoPermission", "No such OIDC Provider registered.", 401)
        try:
            claims = verify_token(token, issuer, call.at)
        except InvalidToken as invalid:
            raise ServiceError(invalid.code, invalid.message, 401) from None
        role = self._role(role_arn)
        _check_duration(duration, role.max_session_seconds)
        audiences = texts(claims["aud"])
        subject = str(claims.get("sub"))
        given = {"oidc:iss": claims["iss"], "oidc:sub": subject, "oidc:aud": tuple(audiences)}
        context = self.account.issuer.authorizer.context(None, given, call.at)
        if not policy.trusts(role.trust, "sts:AssumeRoleWithOIDC", "Federated", [provider_arn], context):
            raise ServiceError("AuthenticationFail.NoPermission", "There is no permission", 401)
        info = {
            "Subject": subject,
            "CredentialStore": claims["iss"],
            "ClientIds": ",".join(audiences),
            "ExpirationTime": utc(claims["exp"]),
            "IssuanceTime": utc(call.at),
            "VerificationInfo": "Success",
        }
        return {**self._session(role, session_name, duration, session_policy, call.at), "OIDCTokenInfo": info}

    def _generate_session_access_key(self, call: Call) -> Answer:
        duration = _duration(call)
        _check_duration(duration, DEFAULT_SESSION_SECONDS)
        issued = self.account.issuer.issue_session_key(call.caller.identity, now=math.floor(call.at), lifetime=duration)
        key = {
            "SessionAccessKeyId": issued.access_key_id,
            "SessionAccessKeySecret": issued.access_key_secret,
            "Expiration": utc(issued.expires_at or 0.0),
        }
        return {"SessionAccessKey": key}

    def _get_caller_identity(self, call: Call) -> Answer:
        identity = call.caller.identity
        answer = {
            "AccountId": identity.account_id,
            "Arn": identity.arn,
            "IdentityType": identity.identity_type,
            "PrincipalId": identity.principal_id,
        }
        if identity.identity_type == "AssumedRoleUser":
            answer["RoleId"] = identity.principal_id.partition(":")[0]
        else:
            answer["UserId"] = identity.principal_id
        return answer

    def _session(
        self, role: Role, session_name: str, duration: int, session_policy: Mapping[str, Any] | None, at: float
    ) -> dict[str, Any]:
        issued = self.account.issuer.issue(
            role.session(session_name), now=math.floor(at), lifetime=duration, session_policy=session_policy
        )
        return {
            "AssumedRoleUser": {"Arn": f"{role.arn}/{session_name}", "AssumedRoleId": issued.identity.principal_id},
            "Credentials": {
                "AccessKeyId": issued.access_key_id,
                "AccessKeySecret": issued.access_key_secret,
                "SecurityToken": issued.security_token,
                "Expiration": utc(issued.expires_at or 0.0),
            },
        }

    def _role(self, arn: str) -> Role:
        found = _ROLE_ARN.fullmatch(arn)
        if found is None:
            raise ServiceError("InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
        role = self.account.role(found.group(2)) if found.group(1) == self.account.account_id else None
        if role is None:
            raise ServiceError("EntityNotExist.Role", "The specified Role not exists.", 404)
        return role


def _session_parameters(call: Call) -> tuple[str, int, Mapping[str, Any] | None]:
    """Session name, duration and session policy of a call that makes a session."""
    name = call.required("RoleSessionName")
    if _SESSION_NAME.fullmatch(name) is None:
        raise ServiceError("InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
    duration = _duration(call)
    text = call.parameters.get("Policy")
    if not text:
        return name, duration, None
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ServiceError("InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes.")
    try:
        return name, duration, parse_policy(text)
    except ValueError as error:
        text = f"The parameter Policy has not passed grammar check. ({error})"
        raise ServiceError("InvalidParameter.PolicyGrammar", text) from None


def _duration(call: Call) -> int:
    seconds = decimal(call.parameters.get("DurationSeconds") or str(DEFAULT_SESSION_SECONDS))
    if seconds is None:
        raise ServiceError("InvalidParameter.DurationSeconds", "The parameter DurationSeconds is wrongly formed.")
    return seconds


def _check_duration(duration: int, longest: int) -> None:
    if not MIN_SESSION_SECONDS <= duration <= longest:
        raise ServiceError(
            "InvalidParameter.DurationSeconds", f"The Min/Max value of DurationSeconds is 15min/{longest / 3600:g}hr."
        )


def _names(caller: IssuedCredentials) -> list[str]:
    """Every name under which a trust policy may mean the caller."""
    account = caller.account_id
    names = [caller.principal, f"acs:ram::{account}:root", account]
    if caller.role_name is not None:
        names += [f"acs:ram::{account}:role/{caller.role_name}", f"acs:ram::{account}:role/{caller.role_name.lower()}"]
    return names
