"""A Countersign client for reading: see ../README.md."""

import argparse
import os
import sys
import warnings
from pathlib import Path

# RFC 9864 wants the newer name; peers may use the older one for as long as they like.
warnings.filterwarnings("ignore", message="EdDSA is deprecated")

VECTORS = Path(__file__).resolve().parents[2] / "docs" / "grpc-dpop-vectors.json"


def main() -> None:
    """Runs one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    vectors = commands.add_parser("vectors", help="run the published vectors")
    vectors.add_argument("file", type=Path, nargs="?", default=VECTORS)
    for name, what in (
        ("calls", "call a token service and a guarded service"),
        ("traced", "place one order under a span of this process's own"),
    ):
        command = commands.add_parser(name, help=f"{what}; the secret is read from CLIENT_SECRET")
        command.add_argument("--token-service", required=True)
        command.add_argument("--client", required=True)
        command.add_argument("--orders", required=True)
        command.add_argument("--resource", required=True)
        if name == "calls":
            brief = "of a service whose tokens live for seconds, if there is one"
            command.add_argument("--brief-orders", help=f"the URL {brief}")
            command.add_argument("--brief-resource", help=f"the resource {brief}")
        else:
            command.add_argument("--otlp", required=True)
    settings = parser.parse_args()

    match settings.command:
        case "vectors":
            from vectors import run

            sys.exit(0 if run(settings.file) else 1)
        case "calls":
            from calls import run

            run(settings, os.environ["CLIENT_SECRET"])
        case "traced":
            from traced import run

            run(settings, os.environ["CLIENT_SECRET"])


if __name__ == "__main__":
    main()
