"""What happens at the MSP of the crash matrix, step by step, and what must have come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kill_world import LINES, World, now, person

from syncd.model import CompanyState, Consent

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
APPROVED, COMPANY_OUT = CompanyState.APPROVED, CompanyState.OPTED_OUT
DAYS = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Step:
    """People do something, then a command runs.

    prepare: what people do
    argv:    the command, from what the world shows after that
    codes:   with which it may end, also when it was killed before and is given again
    passes:  whether it is a pass, after which another one must change nothing
    """

    name: str
    prepare: Callable[[World], None]
    argv: Callable[[World], list[str]]
    codes: tuple[int, ...] = (0,)
    passes: bool = True


def once(_: World) -> list[str]:
    """`syncd once`."""
    return ["once"]


# --- the first day ---------------------------------------------------------------------------------------

PEOPLE = {  # name: (company, index of the number, what the field shows)
    "Ann Acme": ("acme", 0, None),
    "Ben Acme": ("acme", 1, None),
    "Cara Acme": ("acme", 2, None),
    "Dev Acme": ("acme", 3, None),
    "Ella Acme": ("acme", 4, None),
    "Finn Acme": ("acme", 5, None),
    "Gwen Acme": ("acme", 6, None),
    "Hugo Acme": ("acme", 7, OUT),
    "Iris Birch": ("birch", 8, None),
    "Jon Cedar": ("cedar", 9, None),
    "Kim Cedar": ("cedar", 10, None),
    "Liam Dune": ("dune", 11, None),
    "Mona Elm": ("elm", 12, IN),
    "Ned Dune": ("dune", 0, None),  # the phone that Ann has as well
}


def first_day(world: World) -> None:
    """Companies, people, and texts from before syncd."""
    desk = world.desk
    companies = dict.fromkeys(("acme", "birch", "cedar", "dune", "elm"), APPROVED) | {"birch": CompanyState.UNSET}
    world.notes["companies"] = {name: desk.add_company(name.title(), state) for name, state in companies.items()}
    for name, (company, index, consent) in PEOPLE.items():
        _hire(world, name, company, index, consent)
    _text(world, 5, "STOP", at=now() - DAYS)
    _text(world, 6, "#Go", at=now() - DAYS, line=1)


def texts(world: World) -> None:
    """A day's texts: each way of reading one."""
    # Not in the second in which staff may set the field later: which of the two came first would be open.
    _text(world, 0, "#Stop", at=now() - timedelta(minutes=1))
    _text(world, 1, "#Go")
    moment = now()
    world.notes["moment"] = moment
    _text(world, 2, "Hi, the printer on floor two is jammed", at=moment, line=1)
    _text(world, 3, "no more alerts until Monday")
    _text(world, 8, "#Go")
    _text(world, 9, "#Go", line=1)
    world.primevox.send(LINES[0], person(4), "Is it fixed?", now() - timedelta(minutes=5))
    _text(world, 4, "Yes, thanks")
    _text(world, 13, "STOP")  # nobody has that number yet


def resolve(index: int, decision: str) -> Callable[[World], list[str]]:
    """`syncd review resolve` of the text of that person."""
    return lambda world: ["review", "resolve", str(world.review_of(index)), decision]


def changes(world: World) -> None:
    """What account managers, staff and clients change."""
    companies, desk = world.notes["companies"], world.desk
    desk.set_company(companies["birch"], APPROVED)
    desk.set_company(companies["cedar"], COMPANY_OUT)
    desk.set_contact(world.contacts["Ann Acme"], consent=IN)  # against a live opt-out
    desk.set_contact(world.contacts["Ella Acme"], consent=OUT)
    desk.move_contact(world.contacts["Ben Acme"], companies["cedar"])
    # In the very second of the text before: the marker of the conversation stands still.
    second = world.notes["moment"] + timedelta(seconds=0 if world.healing else 1)
    _text(world, 2, "STOP", at=second, line=1)
    _text(world, 7, "#Go", at=now() + timedelta(seconds=2))
    _hire(world, "Olga Acme", "acme", 13, None)


def two_companies_leave(world: World) -> None:
    """More than the brake allows; and a person's own opt-out, which it must not hold up."""
    companies = world.notes["companies"]
    for name in ("dune", "elm"):
        world.desk.set_company(companies[name], COMPANY_OUT)
    _text(world, 6, "please stop texting me", line=1, at=now() + timedelta(seconds=2))


def nothing(_: World) -> None:
    """Nobody does anything."""


STORY = (
    Step("the first day", first_day, once),
    Step("texts", texts, once),
    Step("a text is decided", nothing, resolve(3, "opt_out"), passes=False),
    Step("an old opt-in is decided", nothing, resolve(6, "opt_in"), passes=False),
    Step("changes", changes, once),
    Step("the brake", two_companies_leave, once, codes=(75,)),
    Step("the brake is released", nothing, lambda _: ["brake", "release"], passes=False),
    Step("what was held", nothing, once),
)

# What the PSA must show after the last step.
END = {
    "Ann Acme": OUT,
    "Ben Acme": OUT,  # moved to a company that is opted out
    "Cara Acme": OUT,
    "Dev Acme": OUT,
    "Ella Acme": OUT,
    "Finn Acme": OUT,
    "Gwen Acme": OUT,
    "Hugo Acme": IN,
    "Iris Birch": IN,
    "Jon Cedar": OUT,
    "Kim Cedar": OUT,
    "Liam Dune": OUT,
    "Mona Elm": OUT,
    "Ned Dune": OUT,
    "Olga Acme": OUT,
}


def _hire(world: World, name: str, company: str, index: int, consent: Consent | None) -> None:
    made = world.desk.add_contact(world.notes["companies"][company], name, [person(index)], consent=consent)
    world.contacts[name] = made


def _text(world: World, index: int, words: str, *, line: int = 0, at: datetime | None = None) -> None:
    world.primevox.receive(LINES[line], person(index), words, at or now())


def told(world: World) -> str:
    """The ledger in short, for a failure's message."""
    keep = ("seq", "kind", "number", "contact", "intent", "before", "after", "decision", "result", "what")
    return "\n".join(
        json.dumps({key: entry[key] for key in keep if entry.get(key) is not None}) for entry in world.entries()
    )
