"""What people do: a story drawn from a seed, as a list of moments. It knows nothing of syncd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from syncd.model import CompanyState, Consent, PhoneNumber

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
APPROVED, COMPANY_OUT, UNSET = CompanyState.APPROVED, CompanyState.OPTED_OUT, CompanyState.UNSET

LINES = (PhoneNumber("+12025550100"), PhoneNumber("+12025550101"))
PHONES = tuple(PhoneNumber(f"+120255501{last}") for last in range(10, 17))

# What each text means to the one who wrote it. `quiet`: nothing, and it starts no conversation either.
WORDS: tuple[tuple[str, str], ...] = (
    ("opt_out", "STOP"),
    ("opt_out", "#Stop"),
    ("opt_out", "stop \ud83d"),
    ("opt_out", "Please stop texting me"),
    ("opt_out", "UNSUBSCRIBE"),
    ("opt_in", "#Go"),
    ("opt_in", "#go"),
    ("opt_in", "START"),
    ("ordinary", "my printer is broken"),
    ("ordinary", "please stop by at 5"),
    ("ordinary", "can you look at \ud800 this"),
    ("ordinary", "the backup job did not run"),
    ("quiet", "help"),
    ("quiet", "Liked “Reply STOP to opt out”"),
    ("unclear", "no more alerts until Monday"),
)
OURS = ("Is it fixed? Reply STOP to opt out.", "We are looking into it. Reply #Go to get texts.")
_BY_MEANING = {meant: [words for other, words in WORDS if other == meant] for meant, _ in WORDS}

# How many moments a story has. Many short ones show more than few long ones; some things take long to go wrong.
LENGTHS = (2, 4, 6, 8, 10)

# Seconds between two moments: a burst, a poll, a while, hours, longer than the quiet period.
PAUSES = (0.0, 1.0, 30.0, 30.0, 30.0, 60.0, 400.0, 5000.0, 90_000.0)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens; `what` says which, `args` who and how."""

    what: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.what} {' '.join(ascii(str(arg)) if isinstance(arg, str) else str(arg) for arg in self.args)}"
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """Time passes, then people act, some while the daemon is at work."""

    pause: float
    events: tuple[Event, ...]
    meanwhile: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """How the world begins, what the MSP has set, and what happens then."""

    opening: tuple[Event, ...]
    moments: tuple[Moment, ...]
    staff_opt_in: str = "reassert"
    after_opt_out: bool = True


class Author:
    """Draws a story."""

    def __init__(self, seed: str) -> None:
        self.dice = Random(f"story {seed}")
        self.companies = [f"c{index}" for index in range(1, self.dice.choice((2, 4, 5)) + 1)]
        self.people: list[str] = []
        self.count = 0
        self._opt_ins: list[Event] = []

    def story(self) -> Story:
        """An opening and some moments."""
        opening = [Event("company", (one, self._state())) for one in self.companies]
        opening += [self._newcomer() for _ in range(self.dice.randint(3, 5))]
        opening += [self._text() for _ in range(self.dice.choice((0, 0, 1, 2)))]
        moments = []
        for _ in range(self.dice.choice(LENGTHS)):
            events = [self._event() for _ in range(self.dice.choice((0, 1, 1, 2, 3)))]
            meanwhile = [self._follow_up(events) for _ in range(self.dice.choice((0, 0, 1)))]
            moments.append(Moment(self.dice.choice(PAUSES), tuple(events), tuple(meanwhile)))
        staff = "accept" if self.dice.random() < 0.2 else "reassert"
        return Story(tuple(opening), tuple(moments), staff, self.dice.random() < 0.8)

    def _event(self) -> Event:
        draw = self.dice.random()
        if draw < 0.6:
            return self._text()
        choices: tuple[Callable[[], Event], ...] = (
            *[self._company] * 5,
            *[self._staff] * 4,
            *[self._move] * 3,
            *[self._numbers] * 2,
            self._newcomer,
            self._activity,
            self._delete,
            self._note,
            self._review,
            self._review,
            self._outage,
            self._renamed,
            self._refuses,
            self._all_companies,
            self._stopped,
            self._stopped,
        )
        return self.dice.choice(choices)()

    def _text(self) -> Event:
        line, phone = self.dice.choice(LINES), self.dice.choice(PHONES[:5])
        if self.dice.random() < 0.2:
            return Event("ours", (line, phone, self.dice.choice(OURS)))
        meant = self.dice.choice(
            (
                "opt_out",
                "opt_out",
                "opt_out",
                "opt_in",
                "opt_in",
                "opt_in",
                "ordinary",
                "ordinary",
                "quiet",
                "unclear",
            )
        )
        text = Event("text", (line, phone, meant, self.dice.choice(_BY_MEANING[meant])))
        if meant == "opt_in":
            self._opt_ins.append(text)
        return text

    def _follow_up(self, events: Sequence[Event]) -> Event:
        """Somebody who wrote just now, or at some time, has a second thought; or staff has one."""
        if self.dice.random() < 0.25:
            return self._staff()
        texts = [event for event in events if event.what == "text"] or self._opt_ins[-3:]
        if not texts or self.dice.random() < 0.2:
            return self._text()
        line, theirs = self.dice.choice(texts).args[:2]
        meant = self.dice.choice(("opt_out", "opt_out", "opt_in", "ordinary"))
        line = line if self.dice.random() < 0.7 else self.dice.choice(LINES)
        return Event("text", (line, theirs, meant, self.dice.choice(_BY_MEANING[meant])))

    def _stopped(self) -> Event:
        """The daemon is stopped for a while; somebody who opted in opts out meanwhile."""
        text = self.dice.choice(self._opt_ins[-3:]) if self._opt_ins else self._text()
        return Event("stopped and started", (*text.args[:2], self.dice.choice(_BY_MEANING["opt_out"])))

    def _state(self) -> CompanyState:
        return self.dice.choice((*[APPROVED] * 6, COMPANY_OUT, UNSET))

    def _company(self) -> Event:
        return Event(
            "company",
            (
                self.dice.choice(self.companies),
                self.dice.choice((APPROVED, APPROVED, APPROVED, COMPANY_OUT, UNSET)),
            ),
        )

    def _all_companies(self) -> Event:
        return Event("every company", (self.dice.choice((APPROVED, APPROVED, COMPANY_OUT)),))

    def _somebody(self) -> str:
        return self.dice.choice(self.people)

    def _numbers_of_one(self) -> tuple[PhoneNumber, ...]:
        return tuple(self.dice.sample(PHONES, self.dice.choice((1, 1, 1, 2, 0))))

    def _newcomer(self) -> Event:
        self.count += 1
        self.people.append(f"p{self.count}")
        # Mostly one phone each; now and then two share one.
        own = PHONES[self.count - 1 : self.count] if self.dice.random() < 0.7 else self._numbers_of_one()
        consent = self.dice.choice((None, None, None, IN, OUT))
        return Event("newcomer", (self.people[-1], self.dice.choice(self.companies), own, consent))

    def _staff(self) -> Event:
        return Event("staff sets", (self._somebody(), self.dice.choice((IN, OUT, OUT, None))))

    def _move(self) -> Event:
        return Event("moves", (self._somebody(), self.dice.choice((*self.companies, None))))

    def _numbers(self) -> Event:
        return Event("new numbers", (self._somebody(), self._numbers_of_one()))

    def _activity(self) -> Event:
        return Event("is active", (self._somebody(), self.dice.random() < 0.5))

    def _delete(self) -> Event:
        return Event("deleted", (self._somebody(),))

    def _note(self) -> Event:
        self.count += 1
        return Event("note", (self._somebody(), f"note {self.count}"))

    def _review(self) -> Event:
        return Event("review", (self.dice.random(), self.dice.choice(("opt_in", "opt_out", "nothing"))))

    def _outage(self) -> Event:
        return Event("outage", (self.dice.choice(("PrimeVOX", "PSA")), self.dice.choice((60.0, 4000.0, 40_000.0))))

    def _renamed(self) -> Event:
        return Event("approval field renamed", (self.dice.random() < 0.5,))

    def _refuses(self) -> Event:
        return Event("PSA refuses", (self._somebody(), self.dice.random() < 0.6))


def without(moments: Sequence[Moment], place: int, event: int | None) -> tuple[Moment, ...]:
    """The same story without one moment, or without one event of it (those meanwhile count on)."""
    moment = moments[place]
    if event is None:
        later = moments[place + 1 :]
        if later:  # the time still passes
            later = (Moment(moment.pause + later[0].pause, later[0].events, later[0].meanwhile), *later[1:])
        return (*moments[:place], *later)
    split = len(moment.events)
    events = tuple(one for index, one in enumerate(moment.events) if index != event)
    meanwhile = tuple(one for index, one in enumerate(moment.meanwhile) if index + split != event)
    return (*moments[:place], Moment(moment.pause, events, meanwhile), *moments[place + 1 :])
