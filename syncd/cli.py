"""The commands: parse, build, call, print."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from syncd import __version__, account, backup, desk, keywords, logs, registry, show
from syncd.clock import Clock
from syncd.config import Config, load
from syncd.daemon import Daemon, make_connector, make_lines, make_source, once, open_state, set_up_logs
from syncd.errors import ConfigProblem, Permanent, StoreUnavailable, SyncdError
from syncd.model import PhoneNumber, phone_numbers
from syncd.store import ledger, overview
from syncd.store.database import open_reading

OK, USAGE, DATA, UNAVAILABLE, DEFECT, NOT_WRITTEN, TRY_AGAIN, CONFIG = 0, 2, 65, 69, 70, 73, 75, 78

DEFAULT_CONFIG = Path("/etc/syncd/syncd.yaml")


def main(arguments: list[str] | None = None) -> int:
    """The entry point; returns the exit code (see sysexits.h)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ConfigProblem as problem:
        _complain(show.printable(str(one), 1000) for one in problem.problems)
        return CONFIG
    except desk.NotDone as error:
        print(f"syncd: {error}", file=sys.stderr)
        return USAGE
    except backup.NotWritten as error:
        print(f"syncd: {error}", file=sys.stderr)
        return NOT_WRITTEN
    except backup.Damaged as error:
        print(f"syncd: {error}", file=sys.stderr)
        return DATA
    except StoreUnavailable as error:
        _complain([str(error)])
        return TRY_AGAIN
    except BrokenPipeError:  # `syncd ledger export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  our own bug; Python would print its words, and they may hold a secret
        logs.tell_defect(error)
        return DEFECT


def _complain(problems: Iterable[str]) -> None:
    """Say on standard error why it ends here; in the journal like every other line that needs a person."""
    # systemd names device and inode of the stream: the variable alone is inherited by what writes elsewhere.
    stream = os.fstat(2)
    journal = os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"
    if journal:
        logs.set_up(json=True, level="info")
    for problem in problems:
        if journal:
            logs.get().error("cannot start", problem=problem, alert=True)
        else:
            print(f"syncd: {problem}", file=sys.stderr)


# --- the daemon ------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    daemon = Daemon(options.config)
    logs.catch_strays()
    daemon.run()
    return OK


def _once(options: argparse.Namespace) -> int:
    config = load(options.config)
    log = set_up_logs(config)
    database = open_state(config, log)
    try:
        ended = once(config, database, Clock(), log)
    finally:
        database.close()
    for problem in ended.unreachable:
        print(f"syncd: could not be reached: {show.printable(problem, 1000)}", file=sys.stderr)
    if ended.unreachable:
        return UNAVAILABLE
    if ended.braked:
        print("syncd: a pass is held by the brake; see `syncd status`", file=sys.stderr)
    if ended.pending:
        print(f"syncd: {ended.pending} still to be done; see `syncd status`", file=sys.stderr)
    return TRY_AGAIN if ended.pending or ended.braked else OK


def _check(options: argparse.Namespace) -> int:
    config = load(options.config)
    print(f"{options.config}: no problem found")
    for offer in registry.available().values():
        if offer.problem:  # never of the configured one: that is refused above
            print(f"note  another connector cannot be used: {show.printable(offer.problem, 500)}")
    return _check_online(config) if options.online else OK


def _check_online(config: Config) -> int:
    log = set_up_logs(config)
    clock = Clock()
    worst = OK
    source, transport = make_source(config, clock)
    for line in make_lines(config):
        try:
            found, remarks = source.listing(line).conversations()
            print(
                f"ok    PrimeVOX {line.number}: {len(found)} conversations", *remarks, sep="; " if remarks else ""
            )
        except SyncdError as error:
            print(f"FAIL  PrimeVOX {line.number}: {show.printable(str(error), 1000)}")
            worst = max(worst, CONFIG if isinstance(error, (ConfigProblem, Permanent)) else UNAVAILABLE)
    transport.close()
    psa, psa_transport = make_connector(config, clock, log)
    try:
        report = psa.check()
        show.report(report, f"PSA: {config.psa.connector}")
        worst = max(worst, OK if report.passed else UNAVAILABLE if report.only_down else CONFIG)
    except SyncdError as error:
        print(f"FAIL  PSA {config.psa.connector}: {show.printable(str(error), 1000)}")
        worst = max(worst, CONFIG if isinstance(error, ConfigProblem) else UNAVAILABLE)
    finally:
        psa.close()
        psa_transport.close()
    return worst


# --- looking ---------------------------------------------------------------------------------------------


def _reading(options: argparse.Namespace) -> tuple[Config, Any]:
    config = load(options.config, secrets=False)
    return config, open_reading(config.store.url)


def _status(options: argparse.Namespace) -> int:
    _, database = _reading(options)
    with database.begin() as connection:
        found = overview.status(connection)
    (show.as_json if options.json else show.status)(found)
    return OK


def _explain(options: argparse.Namespace) -> int:
    numbers = phone_numbers(options.number)
    if len(numbers) != 1:
        print(f"syncd: {show.printable(options.number)!r} is not one phone number", file=sys.stderr)
        return USAGE
    config, database = _reading(options)
    database.must_be_current()
    with database.begin() as connection:
        found = account.explain(connection, PhoneNumber(numbers[0]), config.rules())
        seqs = {seq for one in found["contacts"] for seq in (*one["evidence"], *one["review"])}
        seqs |= {entry["seq"] for entry, _, _ in ledger.entries(connection, number=numbers[0])}
        entries = overview.trail(connection, seqs)
    if options.json:
        show.as_json(found)
    else:
        show.explanation(found, entries)
    return OK


def _review_list(options: argparse.Namespace) -> int:
    _, database = _reading(options)
    with database.begin() as connection:
        found = overview.review_queue(connection)
    (show.as_json if options.json else show.review)(found)
    return OK


def _ledger_verify(options: argparse.Namespace) -> int:
    _, database = _reading(options)
    with database.begin() as connection:
        head, faults = ledger.verify(connection, options.head)
    for fault in faults:
        print(f"FAULT  entry {fault.seq}: {fault.what}", file=sys.stderr)
    print(f"{'BROKEN' if faults else 'intact'}: {head.seq} entries, head {head}")
    return DATA if faults else OK


def _ledger_export(options: argparse.Namespace) -> int:
    number = None
    if options.number:
        numbers = phone_numbers(options.number)
        if len(numbers) != 1:
            print(f"syncd: {show.printable(options.number)!r} is not one phone number", file=sys.stderr)
            return USAGE
        number = numbers[0]
    _, database = _reading(options)
    with database.begin() as connection:
        who = overview.owners(connection, number) if number else {}
        show.export(ledger.entries(connection, number=number, contacts=who), options.format, sys.stdout)
    return OK


# --- keeping ---------------------------------------------------------------------------------------------


def _backup(options: argparse.Namespace) -> int:
    config = load(options.config, secrets=False)
    found = backup.back_up(config.store.url, options.file)
    for fault in found.faults:
        print(f"FAULT  entry {fault.seq}: {fault.what}", file=sys.stderr)
    state = "written, but the chain of its ledger is BROKEN" if found.faults else "written and verified"
    print(f"{options.file}: {state}: {found.head.seq} entries, head {found.head}")
    return DATA if found.faults else OK


def _restore(options: argparse.Namespace) -> int:
    config = load(options.config, secrets=False)
    done = backup.restore(config.store.url, options.file, Clock().now(), by=_who(), force=options.force)
    print(f"restored: {done.head.seq} entries, head {done.head}")
    if done.kept:
        print(f"what was there before is kept in {done.kept}")
    print("start syncd again; it reads from PrimeVOX and the PSA what came since")
    return OK


# --- deciding --------------------------------------------------------------------------------------------


def _who() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _review_resolve(options: argparse.Namespace) -> int:
    config = load(options.config, secrets=False)
    wish = {"do": "review", "seq": options.item, "decision": options.decision, "by": _who()}
    print(desk.ask(config.store.url, wish, Clock()))
    return OK


def _brake_release(options: argparse.Namespace) -> int:
    config = load(options.config, secrets=False)
    print(desk.ask(config.store.url, {"do": "release", "by": _who()}, Clock()))
    return OK


# --- without a configuration -----------------------------------------------------------------------------


def _read(options: argparse.Namespace) -> int:
    vocabulary = load(options.config, secrets=False).vocabulary() if options.config else keywords.Vocabulary()
    if options.text != "-":
        reading = keywords.read(options.text, vocabulary)
        facts = {"intent": reading.intent, "rule": reading.rule}
        print(json.dumps(facts) if options.json else f"{reading.intent}  (rule: {reading.rule})")
        return OK
    worst = OK
    with contextlib.suppress(AttributeError):  # bytes that are no UTF-8 cost no other line its answer
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            text = json.loads(line)
            if not isinstance(text, str):
                raise TypeError("not a JSON string")
        except (ValueError, TypeError, RecursionError) as error:
            print(json.dumps({"error": str(error)}), flush=True)
            worst = USAGE
            continue
        reading = keywords.read(text, vocabulary)
        print(json.dumps({"intent": reading.intent, "rule": reading.rule}), flush=True)
    return worst


def _demo(_options: argparse.Namespace) -> int:
    from syncd.sandbox.demo import demo  # noqa: PLC0415  the daemon does not load the stand-ins

    return demo()


def _sandbox(options: argparse.Namespace) -> int:
    from syncd.sandbox.serve import serve  # noqa: PLC0415

    try:
        return serve(options.names, ports=dict(options.port or ()))
    except ValueError as error:
        print(f"syncd: {error}", file=sys.stderr)
        return USAGE


# --- parsing ---------------------------------------------------------------------------------------------


def _head(text: str) -> ledger.Head:
    seq, _, digest = text.partition(":")
    if not seq.isdigit() or len(digest) != 64:
        raise argparse.ArgumentTypeError("a head looks like 1234:<64 hexadecimal digits>, as the log shows it")
    return ledger.Head(int(seq), digest)


def _item(text: str) -> int:
    item = int(text)
    if not 0 < item < 2**63:  # the database counts no further
        raise argparse.ArgumentTypeError("an item is a number that `syncd review list` shows")
    return item


def _port(text: str) -> tuple[str, int]:
    name, _, port = text.partition("=")
    return name, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="syncd", description=__doc__ and "Keeps texting consent true in the PSA."
    )
    parser.add_argument("--version", action="version", version=f"syncd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        where: Any, name: str, command: Callable[[argparse.Namespace], int], text: str, *, config: bool = True
    ) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = where.add_parser(name, help=text, description=text)
        one.set_defaults(command=command)
        if config:
            one.add_argument("-c", "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
        return one

    add(commands, "demo", _demo, "show the whole job on this machine, with no accounts", config=False)
    add(commands, "run", _run, "the daemon")
    add(commands, "once", _once, "one full pass, then exit: 0 done, 75 something is left, 69 a service is down")
    check = add(commands, "check", _check, "look for problems in the configuration")
    check.add_argument("--online", action="store_true", help="also ask PrimeVOX and the PSA; changes nothing")
    status = add(commands, "status", _status, "what is pending, held, parked, in review, braked")
    status.add_argument("--json", action="store_true")
    explain = add(commands, "explain", _explain, "may we text this number, and the evidence for it")
    explain.add_argument("number", metavar="NUMBER")
    explain.add_argument("--json", action="store_true")

    review = commands.add_parser("review", help="texts that wait for a person").add_subparsers(required=True)
    listing = add(review, "list", _review_list, "what waits")
    listing.add_argument("--json", action="store_true")
    resolve = add(review, "resolve", _review_resolve, "decide what a text counts as")
    resolve.add_argument("item", type=_item, metavar="ITEM")
    resolve.add_argument("decision", choices=("opt_in", "opt_out", "nothing"))

    book = commands.add_parser("ledger", help="the evidence").add_subparsers(required=True)
    verify = add(book, "verify", _ledger_verify, "check the hash chain")
    verify.add_argument(
        "--head", type=_head, metavar="SEQ:HASH", help="a head from the log, to find a cut-off tail"
    )
    export = add(book, "export", _ledger_export, "the evidence on standard output")
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    export.add_argument(
        "--number", metavar="NUMBER", help="only the entries of one number, and of the contacts that have it"
    )

    brake = commands.add_parser("brake", help="passes that are held").add_subparsers(required=True)
    add(brake, "release", _brake_release, "let a held pass go")

    copy = add(commands, "backup", _backup, "copy the database into a new file, also while the daemon runs")
    copy.add_argument("file", type=Path, metavar="FILE")
    restore = add(commands, "restore", _restore, "put a backup into the database's place; stop the daemon first")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "--force", action="store_true", help="also where the database there goes on after it; that one is kept"
    )

    read = add(commands, "read", _read, "how a text would be read", config=False)
    read.add_argument("text", metavar="TEXT", help="the text, or - for JSON strings on standard input")
    read.add_argument("--json", action="store_true")
    read.add_argument("-c", "--config", type=Path, metavar="FILE", help="use the keywords of this configuration")
    sandbox = add(commands, "sandbox", _sandbox, "run the stand-ins on their own", config=False)
    sandbox.add_argument(
        "names", nargs="*", metavar="NAME", help="primevox, autotask, connectwise, halopsa; none: all"
    )
    sandbox.add_argument("--port", type=_port, action="append", metavar="NAME=PORT", help="else any free one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
