"""What an operator asks of a running daemon: decisions in review, letting a brake go.

Only the process that holds the database's lock may write to it, and that is usually the daemon. So a command
leaves its wish as a file in a folder beside the database, and the daemon carries it out within a second. When no
daemon runs, the command takes the lock and does it itself.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from syncd.clock import Clock
from syncd.directory import release_brake
from syncd.errors import StoreUnavailable, SyncdError
from syncd.model import Intent
from syncd.store import database, evidence, ledger, mirror
from syncd.store.database import Connection

# How long a command waits for the daemon (seconds).
PATIENCE = 15.0

# No wish is longer (bytes).
LARGEST = 64 * 1024


class NotDone(SyncdError):
    """The wish was understood but could not be carried out; the text says why."""


def carry_out(connection: Connection, clock: Clock, wish: dict[str, Any]) -> str:
    """Do it; returns a sentence for the operator. Raises NotDone.

    A wish is `{"do": "review", "seq": 7, "decision": "opt_out", "by": "ann"}` or `{"do": "release", "by": "ann"}`.
    """
    match wish.get("do"):
        case "review":
            return _resolve(connection, clock, int(wish["seq"]), str(wish["decision"]), str(wish["by"]))
        case "release":
            release_brake(connection, clock.now(), str(wish["by"]))
            held = mirror.braked(connection).values()  # released by now, or before by a wish whose answer was lost
            if not held:
                raise NotDone("no brake is on")
            return "released, and carried out at the next pass: " + "; ".join(one["detail"] for one in held)
        case other:
            raise NotDone(f"unknown wish {other!r}")


def _resolve(connection: Connection, clock: Clock, seq: int, decision: str, by: str) -> str:
    if decision not in ("opt_in", "opt_out", "nothing"):
        raise NotDone(f"{decision!r} is none of opt_in, opt_out, nothing")
    number, intent = evidence.text_at(connection, seq)
    if number is None:
        raise NotDone(f"ledger entry {seq} is no text; see `syncd review list`")
    if intent is Intent.OPT_OUT:
        raise NotDone(f"ledger entry {seq} is a clear opt-out; nobody can decide it away, a later #Go lifts it")
    if (standing := evidence.decision_on(connection, seq)) and standing.decision == decision:
        # Whoever was killed before hearing the answer asks again: one decision is one entry.
        return f"text {seq} of {number} counts as {decision} already (ledger entry {standing.decided})"
    decided = ledger.append(connection, clock.now(), "review", number=number, of=seq, decision=decision, by=by)
    evidence.save_decision(connection, seq, decision, decided)
    evidence.mark_stale(connection, [number])
    return f"text {seq} of {number} counts as {decision} from now on (ledger entry {decided})"


def box(url: str) -> Path | None:
    """The folder for wishes beside the database."""
    path = database.file_of(url)
    return database.beside(path, ".wishes") if path else None


def ask(url: str, wish: dict[str, Any], clock: Clock) -> str:
    """Do it ourselves when nobody holds the database, else ask the one who does. Raises NotDone, ConfigProblem."""
    database.open_reading(url).close()  # says so when there is no database
    try:
        mine = database.open_writing(url)
    except database.Locked:
        return _leave(url, wish, clock)
    try:
        with mine.begin() as connection:
            return carry_out(connection, clock, wish)
    finally:
        mine.close()


def _leave(url: str, wish: dict[str, Any], clock: Clock) -> str:
    folder = box(url)
    if folder is None:
        raise NotDone("this database has no folder for wishes")
    name = f"{clock.now():%Y%m%dT%H%M%S%f}-{os.getpid()}"
    draft, final, answer = folder / f".{name}", folder / f"{name}.wish", folder / f"{name}.answer"
    try:
        draft.write_text(json.dumps(wish), encoding="utf-8")
        database.like_its_folder(draft)
        draft.rename(final)
    except FileNotFoundError:
        raise StoreUnavailable(
            "another command, such as `syncd once`, works with the database; try again when it has ended"
        ) from None
    except OSError as error:
        raise NotDone(f"{folder}: {error.strerror}; run this as root or as the daemon's user") from error
    until = clock.monotonic() + PATIENCE
    while clock.monotonic() < until:
        if answer.exists():
            said = json.loads(answer.read_text(encoding="utf-8"))
            answer.unlink(missing_ok=True)
            if said["done"]:
                return str(said["text"])
            raise NotDone(str(said["text"]))
        clock.sleep(0.1)
    final.unlink(missing_ok=True)
    raise StoreUnavailable("the daemon did not answer; is it well? see `journalctl -u syncd`")


def answer_all(url: str, mine: database.Database, clock: Clock, log: Any) -> int:
    """Carry out what was left in the box; returns how many. Called by the daemon every second.

    A wish that cannot be read or carried out is answered so and goes: it must neither hold up the others nor come
    again.
    """
    folder = box(url)
    if folder is None:
        return 0
    folder.mkdir(mode=0o700, exist_ok=True)
    wishes = sorted(folder.glob("*.wish"))
    for path in wishes:
        said = _answer(path, mine, clock)
        log.info("an operator's wish", **said)
        try:
            _reply(path, said)
        except OSError as error:  # the command waits in vain, and says so
            log.warning("the answer to an operator's wish could not be written", reason=error.strerror)
    return len(wishes)


def _answer(path: Path, mine: database.Database, clock: Clock) -> dict[str, Any]:
    try:
        wish = _read(path)
        with mine.begin() as connection:
            return {"done": True, "text": carry_out(connection, clock, wish)}
    except SyncdError as error:
        return {"done": False, "text": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever a file can hold that no command writes
        return {"done": False, "text": f"the wish makes no sense, nothing was done ({type(error).__name__})"}


def _read(path: Path) -> Any:
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:  # reading from a pipe would never end
            raise NotDone("the wish is no file that a command of syncd has written")
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise NotDone(f"the wish cannot be read ({error.strerror})") from None


def _reply(path: Path, said: dict[str, Any]) -> None:
    """Put the answer into the place of the wish; the wish goes even where the answer cannot be written."""
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(json.dumps(said), encoding="utf-8")
    finally:
        _take_away(path)
    draft.rename(path.with_suffix(".answer"))


def _take_away(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # a folder: its name makes it a wish, another one does not
        path.rename(path.with_suffix(".refused"))
