"""Where the command starts, also as `python -m ramrole_creds.cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; without the extra `cli`, say how to install it and end with status 1."""
    try:
        from ramrole_creds.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        from ramrole_creds.errors import install_command, reference

        text = f"ramrole-creds: {error.name} is not installed. Install it: {install_command('cli')}."
        sys.exit(text + reference("ramrole-creds"))
    app(prog_name="ramrole-creds")


if __name__ == "__main__":
    main()
