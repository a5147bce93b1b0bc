"""Defects to plant into the program: each loses something only when it is killed at the wrong moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from syncd import desk, intake
from syncd.directory import Directory
from syncd.intake import Intake
from syncd.model import Consent
from syncd.plan import Mirror
from syncd.store import mirror, texts
from syncd.store.schema import company_steps, contacts
from syncd.store.times import stamp


def cursor_before_messages() -> None:
    """The cursor of a conversation is committed before the texts that it covers."""
    store = Intake._store

    def cursor_first(self: Any, line: Any, state: Any, task: Any, *rest: Any) -> Any:
        cursor = intake._cursor(task, state.polls, True)
        with self._database.begin() as connection:
            fresh = task.known is None
            texts.save_conversation(connection, line.number, self._clock.now(), cursor, fresh=fresh)
        return store(self, line, state, replace(task, known=cursor), *rest)

    Intake._store = cursor_first  # type: ignore[method-assign]


def write_not_noted() -> None:
    """What is about to be sent is not noted first, so that it is taken for a person's edit later."""

    def unnoted(self: Mirror, value: Consent) -> Mirror:
        return self

    Mirror.sending = unnoted  # type: ignore[method-assign]


def cascade_in_a_second_commit() -> None:
    """A company's opt-out is committed first, that its people's verdicts must be made again later."""
    watch = Directory.watch_companies
    left: list[str] = []

    def steps_only(connection: Connection, now: Any, changed: Any, seqs: Any) -> None:
        for company, seq in zip(changed, seqs, strict=True):
            step = {"company": company.id, "seq": seq, "at": stamp(now), "state": company.state.value}
            connection.execute(insert(company_steps).values(step))
            left.append(company.id)

    def watch_then_mark(self: Any) -> list[str]:
        found = watch(self)
        with self._database.begin() as connection:
            connection.execute(update(contacts).where(contacts.c.company.in_(left)).values(stale=True))
        left.clear()
        return found

    mirror.save_steps = steps_only
    Directory.watch_companies = watch_then_mark  # type: ignore[method-assign]


def wish_removed_first() -> None:
    """An operator's wish is taken out of its folder before it is carried out."""
    answer_all, carry_out = desk.answer_all, desk.carry_out
    boxes: list[Path] = []

    def answering(url: str, *rest: Any) -> int:
        boxes[:] = [box for box in (desk.box(url),) if box]
        return answer_all(url, *rest)

    def careless(connection: Any, clock: Any, wish: Any) -> str:
        [path] = boxes[0].glob("*.wish")
        path.unlink()
        said = carry_out(connection, clock, wish)
        path.touch()  # for the rest of the program, which removes it
        return said

    desk.answer_all, desk.carry_out = answering, careless


def plant(name: str) -> None:
    """Have the defect with the name of a function above in this process from now on."""
    globals()[name]()
