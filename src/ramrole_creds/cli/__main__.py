"""Where the command starts, also as `python -m ramrole_creds.cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; without the extra `cli`, say how to get it and end with status 2."""
    try:
        from ramrole_creds.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f"ramrole-creds: {error.name} is not installed. Run: pip install 'ramrole-creds[cli]'")
    app(prog_name="ramrole-creds")


if __name__ == "__main__":
    main()
