"""Throw many hostile inputs at everything that reads what others wrote, and say what became of them.

    python tests/fuzz/run.py                                   # 20,000 inputs over all targets
    python tests/fuzz/run.py --inputs 1000000 --target all     # about an hour of one core
    python tests/fuzz/run.py --target "local csv" --inputs 50000
    python tests/fuzz/run.py --target answer --replay FILE     # one input that was kept, and its traceback

With atheris (`pip install '.[fuzz]'`: for Linux and some versions of Python only) the inputs follow the coverage
of syncd and of the connectors; else, or with `--engine chance`, they are drawn at random, from a seed. Each
target runs in a process of its own. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

# Processor seconds after which an input counts as a hang; the worst known ones take a twentieth of it.
HANG = 10.0
LONGEST = 700  # bytes of an input
OURS = ("/syncd/", "/connectors/", "/tests/fuzz/")


def say(line: str) -> None:
    """One line to standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Hung(BaseException):
    """An input took too long. No product code catches it."""


@dataclass
class Account:
    """What became of the inputs of one target; times are processor seconds."""

    target: str
    engine: str
    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_input: str = ""
    kinds: dict[str, str] = field(default_factory=dict)


class Watch:
    """Runs a target on one input after another and keeps the account."""

    def __init__(
        self, target: str, engine: str, run: Callable[[bytes], None], keep: Path, hang: float = HANG
    ) -> None:
        self.account = Account(target, engine)
        self._run = run
        self._keep = keep
        self._hang = hang
        signal.signal(signal.SIGVTALRM, _hung)

    def __call__(self, data: bytes) -> None:
        """Run one input; nothing that it raises leaves this."""
        account = self.account
        account.inputs += 1
        began = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, self._hang)
            self._run(data)
        except Hung as error:
            account.hangs += 1
            self._remember(data, error)
        except Exception as error:  # noqa: BLE001  whatever it is, it is what we look for
            account.crashes += 1
            self._remember(data, error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took = time.process_time() - began
        account.seconds += took
        if took > account.slowest:
            account.slowest = took
            account.slowest_input = str(self._kept(data))

    def _remember(self, data: bytes, error: BaseException) -> None:
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if any(o in frame.filename for o in OURS)
        ]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        kind = f"{type(error).__name__} at {where}: {ascii(str(error))[:120]}"
        if len(self.account.kinds) < 50:
            self.account.kinds.setdefault(kind.partition(": ")[0], f"{self._kept(data)}  {kind}")

    def _kept(self, data: bytes) -> Path:
        path = self._keep / f"{self.account.target.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        return path


def _hung(*_: object) -> None:
    raise Hung


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hides what libFuzzer says."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def by_chance(inputs: int, seed: int) -> Iterator[bytes]:
    """Random inputs of all lengths, short ones more often; the same for the same seed."""
    drawn = random.Random(seed)
    for _ in range(inputs):
        yield drawn.randbytes(min(drawn.randrange(LONGEST), drawn.randrange(LONGEST)))


def has_atheris() -> bool:
    """Whether inputs can follow coverage here."""
    return importlib.util.find_spec("atheris") is not None


def _child(options: argparse.Namespace) -> int:
    """Fuzz one target; the account goes to standard output as JSON."""
    if options.engine == "chance":
        from targets import TARGETS

        watch = _watch(options, TARGETS)
        for data in by_chance(options.inputs, options.seed):
            watch(data)
        say(json.dumps(asdict(watch.account)))
        return 0
    import atheris

    # Not from the start: some vendors' modules must not be instrumented.
    with quiet_stderr(), atheris.instrument_imports(include=["syncd", "connectors"], enable_loader_override=False):
        from targets import TARGETS
    watch = _watch(options, TARGETS)
    corpus = Path(tempfile.mkdtemp(prefix="syncd-corpus-"))
    for number, data in enumerate(by_chance(40, options.seed)):
        (corpus / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        watch(data)
        if watch.account.inputs >= options.inputs:
            # libFuzzer ends by leaving the process, and that must not cost us the account.
            say(json.dumps(asdict(watch.account)))
            os._exit(0)

    arguments = [
        f"-seed={options.seed + 1}",
        f"-max_len={LONGEST}",
        "-len_control=0",
        "-timeout=600",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *arguments, f"-runs={options.inputs + 1000}", str(corpus)], one)
    with quiet_stderr():
        atheris.Fuzz()
    return 1


def _watch(options: argparse.Namespace, targets: dict[str, Any]) -> Watch:
    run = targets[options.target]
    run(b"")  # compiles, records and caches what later inputs share
    return Watch(options.target, options.engine, run, options.keep)


def fuzz(target: str, inputs: int, engine: str, seed: int, keep: Path) -> Account:
    """Fuzz one target in a process of its own."""
    arguments = ["--child", "--target", target, "--inputs", str(inputs), "--engine", engine, "--seed", str(seed)]
    command = [sys.executable, __file__, *arguments, "--keep", str(keep)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in reversed(ended.stdout.splitlines()):
        if line.startswith("{"):
            return Account(**json.loads(line))
    lost = ended.stderr[-600:].strip() or f"exit code {ended.returncode}"
    return Account(target, engine, crashes=1, kinds={"the process ended": lost})


def main() -> int:
    """Parse, fuzz, print."""
    from_help = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=from_help)
    parser.add_argument("--inputs", type=int, default=20_000, help="in all, spread over the targets")
    parser.add_argument("--target", default="all")
    parser.add_argument(
        "--engine", choices=("atheris", "chance"), default="atheris" if has_atheris() else "chance"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for inputs that were found; else a new one below /tmp")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _child(options)
    from targets import TARGETS

    if options.replay:
        TARGETS[options.target](options.replay.read_bytes())
        say("nothing wrong")
        return 0
    if options.engine == "atheris" and not has_atheris():
        say("atheris is not installed here: pip install atheris, or use --engine chance")
        return 2
    names = list(TARGETS) if options.target == "all" else [options.target]
    return _all(names, options)


def _all(names: list[str], options: argparse.Namespace) -> int:
    keep = options.keep or Path(tempfile.mkdtemp(prefix="syncd-found-"))
    say(f"engine: {options.engine}, seed {options.seed}; times are of the processor")
    say(f"{'target':<16}{'inputs':>10}{'per second':>12}{'crashes':>9}{'hangs':>7}{'slowest':>12}")
    accounts = []
    for number, name in enumerate(names):
        share = options.inputs // len(names) + (number < options.inputs % len(names))
        one = fuzz(name, share, options.engine, options.seed, keep)
        accounts.append(one)
        _print(one)
        for kind in one.kinds.values():
            say(f"    {kind}")
    total = Account("all", options.engine)
    for name in ("inputs", "crashes", "hangs", "seconds"):
        setattr(total, name, sum(getattr(one, name) for one in accounts))
    total.slowest = max(one.slowest for one in accounts)
    _print(total)
    found = total.crashes + total.hangs
    if found:
        say(f"inputs that were found: {keep}")
    return 1 if found else 0


def _print(one: Account) -> None:
    pace = one.inputs / one.seconds if one.seconds else 0.0
    figures = f"{one.inputs:>10,}{pace:>12,.0f}{one.crashes:>9}{one.hangs:>7}{one.slowest * 1000:>9,.0f} ms"
    say(f"{one.target:<16}{figures}")


if __name__ == "__main__":
    sys.exit(main())
