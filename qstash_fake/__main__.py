"""The command line: `qstash-fake serve` and `qstash-fake timeline FILE`, or `python -m qstash_fake …`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qstash_fake.errors import UsageError

if TYPE_CHECKING:
    from qstash_fake.page.report import Saved
    from qstash_fake.server.network import Moved
    from qstash_fake.server.serve import Settings

STDOUT = 1
INTERRUPTED = 130  # the exit status of a program that Ctrl-C has ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments*, by default those of the process, name; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="qstash-fake", description="A local stand-in for Upstash QStash.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "serve", help="answer the QStash API on a local port, and deliver", allow_abbrev=False
    )
    _add_options(command)
    saved = commands.add_parser("timeline", help="print a saved report as text", allow_abbrev=False)
    saved.add_argument("file", type=Path, metavar="FILE", help="an HTML file of --qstash-fake-report or save_report()")
    given = parser.parse_args(arguments)
    if given.command == "timeline":
        return _timeline(given.file)
    try:
        from qstash_fake.server.printing import Printer
        from qstash_fake.server.serve import serve

        settings, printer = _settings(command, given), Printer(STDOUT, sys.stdout.encoding)
        with printer.running():
            serve(settings, printer.say)
    except UsageError as error:
        print(f"qstash-fake: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _timeline(path: Path) -> int:
    from qstash_fake.page.report import data_of, named_in

    try:
        reports = named_in(path)
        lines = _lines_of_index(path, reports) if reports else _lines_of_report(data_of(path))
    except (OSError, ValueError) as error:
        _warn(f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error))
        return 1
    with suppress(BrokenPipeError):  # `| head` has seen enough
        print(*lines, sep="\n", flush=True)
    return 0


def _lines_of_report(data: dict[str, Any]) -> list[str]:
    failure = [f"{data['failure']['summary']}\n"] if data.get("failure") else []
    return [f"{data['title']}\n", *failure, data["timeline"]]


def _lines_of_index(path: Path, reports: list[Saved]) -> list[str]:
    """Return the files of the *reports* that *path* leads to, each with its test and why that has failed."""
    rows = (f"\n{path.parent / one.name}\n  {one.title}{f': {one.why}' if one.why else ''}" for one in reports)
    return [f"{path} is the index of these reports:", *rows]


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=_port, default=8080, help="default 8080, as QStash's own dev server; 0: any")
    command.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1; any other needs --allow-remote")
    command.add_argument("--allow-remote", action="store_true", help="let other machines call this server")
    command.add_argument(
        "--token",
        action="append",
        default=[],
        type=_token,
        help="the only token that is let in; repeatable; by default any token is",
    )
    command.add_argument(
        "--read-only-token", action="append", default=[], type=_token, help="a token that may only GET; repeatable"
    )
    command.add_argument(
        "--clock", choices=("real", "virtual"), default="real", help="virtual: nothing moves until it is told to"
    )
    command.add_argument(
        "--start",
        type=_start,
        metavar="TIME",
        help="where a virtual clock stands at first, as 2026-01-01T09:00:00Z; by default the time of the start",
    )
    command.add_argument(
        "--route",
        action="append",
        default=[],
        type=_route,
        metavar="PREFIX=URL",
        help="deliver to URL what goes to PREFIX or below, as https://shop.example=http://localhost:3000; repeatable",
    )
    command.add_argument(
        "--allow-external", action="store_true", help="deliver to other machines, too, and through proxies"
    )
    command.add_argument("--open", action="store_true", help="open the page /_fake/ in a browser")
    command.add_argument(
        "--plan",
        choices=("free", "payg", "fixed-1m", "fixed-10m"),
        help="whose quotas count; by default there are none",
    )


def _settings(command: argparse.ArgumentParser, given: argparse.Namespace) -> Settings:
    from qstash_fake.protocol.urls import is_loopback
    from qstash_fake.server.network import Moved
    from qstash_fake.server.serve import Settings

    if not given.allow_remote and not is_loopback(given.host):
        command.error(f"--host {given.host} lets other machines call this server: add --allow-remote if they may")
    if given.start is not None and given.clock == "real":
        command.error("--start sets a virtual clock, and this one is real: add --clock virtual")
    moved = tuple(Moved(*pair) for pair in given.route)
    for one in moved:
        _check_route(command, one, allow_external=given.allow_external)
    if not is_loopback(given.host) and not given.token:
        _warn(f"any token is let in, from every machine that reaches {given.host}: --token <secret> says which")
    return Settings(
        host=given.host,
        port=given.port,
        allow_remote=given.allow_remote,
        tokens=tuple(given.token),
        read_only_tokens=tuple(given.read_only_token),
        virtual=given.clock == "virtual",
        start_ms=given.start,
        moved=moved,
        allow_external=given.allow_external,
        plan=given.plan,
        opens=given.open,
    )


def _check_route(command: argparse.ArgumentParser, route: Moved, *, allow_external: bool) -> None:
    import httpx

    from qstash_fake.protocol.urls import is_loopback

    try:
        host = httpx.URL(route.target).host
    except httpx.InvalidURL:  # its text may have a part of a password
        command.error(f"--route {route} leads to no valid URL; in a password, / is written %2F")
    if not allow_external and not is_loopback(host):
        command.error(f"--route {route} leaves this machine: add --allow-external if it may")


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: it is a number from 0 to 65535")
    return int(text)


def _start(text: str) -> int:
    from qstash_fake.testing.timekeeper import start_to_ms

    try:
        return start_to_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _token(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("a token is not empty and has no blanks")
    return text


def _route(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(https?://[^/?#]+.*?)=(https?://[^?#]+)", text, re.IGNORECASE)
    if match is None:
        shown = re.sub("[^/=]*@", "", text)  # without users and passwords
        raise argparse.ArgumentTypeError(f"{shown!r} is not like https://shop.example=http://localhost:3000")
    return match[1], match[2]


def _warn(text: str) -> None:
    print(f"qstash-fake: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
