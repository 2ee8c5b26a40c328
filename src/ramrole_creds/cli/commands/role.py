"""`ramrole-creds role` and its subcommands."""

from __future__ import annotations

import json
import sys
from functools import wraps
from inspect import cleandoc
from typing import TYPE_CHECKING, TypeVar

import click

from ramrole_creds.cli.options import seconds_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ramrole_creds.cli.role_plans import Plan
    from ramrole_creds.roles import InstanceRoles

    Function = TypeVar("Function", bound=Callable[..., None])

RULES = """
\b
The rules of the service:
  - an instance has one role at most, and only instances in a VPC can have one
  - the role's trust policy names the service ecs.aliyuncs.com
  - to attach a role you need ram:PassRole and ecs:AttachInstanceRamRole
  - an attached role shows in the metadata after one or two minutes
"""


@click.group(short_help="Create, attach, detach and audit roles of instances.")
def command() -> None:
    """Create RAM roles for instances, attach, detach, describe, list, delete and audit them.

    The calls are signed with the credentials that this command finds. You can repeat each subcommand: what is
    done already is not done again. `--dry-run` prints the calls that would change something.

    Exit status: 0; 1 when a service refuses a call, or when `audit` finds something; 2 when the command
    line is not valid.

    \b
    Examples:
      ramrole-creds role create web --policy AliyunOSSReadOnlyAccess
      ramrole-creds role attach web --instance i-bp1example --region cn-hangzhou
      ramrole-creds role audit --region cn-hangzhou --json
    """


command.help = f"{cleandoc(command.help or '')}\n{RULES}"  # before Python 3.13 it is indented


def shared_options(function: Function) -> Function:
    """The options of every subcommand."""
    options = [
        click.option("--region", metavar="ID", help="Region of the instances; default: what `default_region()` finds."),
        click.option("--ecs-endpoint", metavar="HOST", help="Host or URL of the ECS API."),
        click.option("--ram-endpoint", metavar="HOST", help="Host or URL of the RAM API."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def plan_command(function: Callable[..., Plan]) -> Callable[..., None]:
    """A subcommand that changes something: `function` makes the plan, which is shown and carried out."""

    @shared_options
    @click.option("--dry-run", is_flag=True, help="Print the calls that would be made, and make none of them.")
    @wraps(function)
    def run(*, dry_run: bool, as_json: bool, **options: object) -> None:
        from ramrole_creds import RamRoleError

        try:
            plan = function(open_roles(options), **options)
            if not dry_run:
                plan.carry_out()
        except RamRoleError as error:
            raise click.ClickException(str(error)) from None
        calls = [text for text, _ in plan.steps]
        if as_json:
            click.echo(json.dumps({"dry_run": dry_run, "calls": calls, "notes": plan.notes}, indent=2))
            return
        for note in plan.notes:
            click.echo(note)
        for call in calls:
            click.echo(f"{'would call' if dry_run else 'called'}: {call}")
        if not calls:
            click.echo("Nothing to do.")

    return run


def open_roles(options: dict[str, object]) -> InstanceRoles:
    """The client of the APIs; takes the shared options away from the others."""
    from ramrole_creds import InstanceRoles, default_provider, default_region

    region, ecs, ram = (options.pop(name) for name in ("region", "ecs_endpoint", "ram_endpoint"))
    provider = default_provider()
    return InstanceRoles(
        provider,
        default_region(str(region) if region else None),
        ecs_endpoint=str(ecs) if ecs else None,
        ram_endpoint=str(ram) if ram else None,
    )


_instance_option = click.option(
    "--instance", "instances", multiple=True, required=True, metavar="ID", help="Instance; repeatable."
)


@command.command(short_help="Create a role that instances can have.")
@click.argument("name")
@click.option("--policy", "policies", multiple=True, metavar="NAME", help="System policy to attach; repeatable.")
@click.option("--custom-policy", "custom", multiple=True, metavar="NAME", help="Policy of the account; repeatable.")
@click.option("--description", default="", help="Description of the role.")
@seconds_option(
    "--max-session",
    minimum=3600,
    maximum=43200,
    default=3600.0,
    text="Maximum length of a session of the role, up to 43200.",
)
@plan_command
def create(
    roles: InstanceRoles,
    *,
    name: str,
    policies: tuple[str, ...],
    custom: tuple[str, ...],
    description: str,
    max_session: float,
) -> Plan:
    """Create a role that instances can have, or add the policies that it lacks.

    \b
    Example:
      ramrole-creds role create web --policy AliyunOSSReadOnlyAccess --dry-run
    """
    from ramrole_creds.cli.role_plans import plan_create

    return plan_create(roles, name, policies, custom, description=description, session=max_session)


@command.command(short_help="Attach a role to instances.")
@click.argument("name")
@_instance_option
@click.option("--replace", is_flag=True, help="Detach another role that the instance has.")
@plan_command
def attach(roles: InstanceRoles, *, name: str, instances: tuple[str, ...], replace: bool) -> Plan:
    """Attach a role to instances. Its credentials are available one or two minutes later.

    \b
    Example:
      ramrole-creds role attach web --instance i-bp1one --instance i-bp1two
    """
    from ramrole_creds.cli.role_plans import plan_attach

    return plan_attach(roles, name, instances, replace=replace)


@command.command(short_help="Detach the role of instances.")
@click.argument("name", required=False)
@_instance_option
@plan_command
def detach(roles: InstanceRoles, *, name: str | None, instances: tuple[str, ...]) -> Plan:
    """Detach a role, or, without NAME, the role that is attached. Issued credentials stay valid until they expire.

    \b
    Example:
      ramrole-creds role detach web --instance i-bp1one
    """
    from ramrole_creds.cli.role_plans import plan_detach

    return plan_detach(roles, instances, name)


@command.command(short_help="Delete a role that no instance has.")
@click.argument("name")
@plan_command
def delete(roles: InstanceRoles, *, name: str) -> Plan:
    """Detach the policies of a role, and delete it. No instance of the region may have the role.

    \b
    Example:
      ramrole-creds role delete web --dry-run
    """
    from ramrole_creds.cli.role_plans import plan_delete

    return plan_delete(roles, name)


def show_command(function: Callable[..., list[dict[str, str]]]) -> Callable[..., None]:
    """A subcommand that shows rows."""

    @shared_options
    @wraps(function)
    def run(*, as_json: bool, **options: object) -> None:
        from ramrole_creds import RamRoleError

        try:
            rows = function(open_roles(options), **options)
        except RamRoleError as error:
            raise click.ClickException(str(error)) from None
        if as_json:
            click.echo(json.dumps(rows, indent=2))
        for row in [] if as_json else rows:
            click.echo("  ".join(value for value in row.values() if value))
        if function.__name__ == "audit" and rows:
            sys.exit(1)

    return run


@command.command(short_help="Show which instances have which role.")
@click.option("--instance", "instances", multiple=True, metavar="ID", help="Show this instance; repeatable.")
@click.option("--name", metavar="ROLE", help="Show all instances with this role.")
@show_command
def describe(roles: InstanceRoles, *, instances: tuple[str, ...], name: str | None) -> list[dict[str, str]]:
    """Show which instances have which role.

    \b
    Example:
      ramrole-creds role describe --name web
    """
    if not instances and not name:
        raise click.UsageError("Name instances with --instance, or a role with --name.")
    held = roles.describe(instances or None, name)
    rows = [{"instance": instance, "role": role} for instance, role in sorted(held.items())]
    return rows + [{"instance": one, "role": ""} for one in instances if one not in held]


@command.command("list")
@show_command
def list_all(roles: InstanceRoles) -> list[dict[str, str]]:
    """List the roles of the account.

    \b
    Example:
      ramrole-creds role list --json
    """
    return [{"name": one.name, "arn": one.arn} for one in roles.list_roles()]


@command.command(short_help="List instances whose role is missing or wrong.")
@click.option("--instance", "instances", multiple=True, metavar="ID", help="Check only this instance; repeatable.")
@show_command
def audit(roles: InstanceRoles, *, instances: tuple[str, ...]) -> list[dict[str, str]]:
    """List instances without a role, and instances whose role does not exist or does not trust ECS.

    It checks all instances of the region if none is named.

    Exit status: 1 when it lists an instance.

    \b
    Example:
      ramrole-creds role audit --region cn-hangzhou
    """
    from ramrole_creds.cli import role_plans

    return role_plans.audit(roles, instances or roles.instances())
