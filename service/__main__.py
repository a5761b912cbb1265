"""`python -m service run` starts everything on this machine; `python -m service keys` manages API keys."""

import argparse
import sys
from collections.abc import Sequence

from service import keys_command
from shared.contract.config import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start Redis, a worker and the API on this machine")
    keys_command.add_arguments(commands.add_parser("keys", help="make, list and revoke API keys"))
    args = parser.parse_args(argv)
    try:
        if args.command == "run":
            from service.launcher import run

            return run.run()
        return keys_command.run(args, print)
    except ConfigError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
