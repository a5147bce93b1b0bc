"""The day that `syncd demo` plays: who is in the PSA, what happens, and what must come of it by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

APPROVED, OPTED_IN, OPTED_OUT, EMPTY = "Approved", "Opted-In", "Opted-Out", ""


@dataclass(frozen=True, slots=True)
class Company:
    """A row of companies.csv."""

    id: str
    name: str
    approval: str = EMPTY


@dataclass(frozen=True, slots=True)
class Person:
    """A row of contacts.csv; the number as people type it."""

    id: str
    company: str
    name: str
    mobile: str
    opt_in: str = EMPTY


@dataclass(frozen=True, slots=True)
class Texts:
    """A client user texts us. Times are HH:MM of the day, in UTC."""

    at: str
    person: str
    words: str


@dataclass(frozen=True, slots=True)
class WeText:
    """A technician texts a client user."""

    at: str
    person: str
    words: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The account manager sets the approval field of a company in the PSA."""

    at: str
    company: str
    value: str


@dataclass(frozen=True, slots=True)
class Joins:
    """A technician adds a contact to the PSA."""

    at: str
    person: Person


Event = Texts | WeText | Approval | Joins


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must hold of one person: the value in the PSA, by which clause, and what waits."""

    psa: str
    clause: str
    held: bool = False
    review: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens, and what must have come of it before the next scene."""

    title: str
    events: tuple[Event, ...]
    then: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Story:
    """One day. `begins` is when the daemon is started, `at_first` what its first pass must leave."""

    our_number: str
    companies: tuple[Company, ...]
    people: tuple[Person, ...]
    begins: str
    at_first: Mapping[str, Outcome]
    scenes: tuple[Scene, ...]

    def everybody(self) -> tuple[Person, ...]:
        """All people, also those who join during the day."""
        joined = tuple(event.person for scene in self.scenes for event in scene.events if isinstance(event, Joins))
        return self.people + joined

    def expected(self) -> dict[str, Outcome]:
        """What must hold at the end of the day: for each person what was said of it last."""
        outcomes = dict(self.at_first)
        for scene in self.scenes:
            outcomes |= scene.then
        return outcomes


# Clauses of the MSP's policy, as `syncd explain` names them.
_GO, _STOP, _WROTE_FIRST, _COMPANY = "3.2.3, 3.2.4", "3.3.2", "3.2.5, 3.3.4", "3.3.1"
_NOT_APPROVED, _NO_EVIDENCE = "3.1.1, 3.2.1", "3.1.2"

_NOTHING = Outcome(EMPTY, _NO_EVIDENCE)
_HELD = Outcome(EMPTY, _NOT_APPROVED, held=True)
_IN = Outcome(OPTED_IN, _GO)
_OUT = Outcome(OPTED_OUT, _STOP)
_COMPANY_OUT = Outcome(OPTED_OUT, _COMPANY)

_PEOPLE = (
    Person("101", "1", "Ann Abbot", "(202) 555-0111"),
    Person("102", "1", "Ben Baker", "202-555-0112"),
    Person("103", "1", "Cara Clark", "+1 202 555 0113"),
    Person("104", "1", "Dev Dunne", "202.555.0114"),
    Person("105", "1", "Ella Evans", "2025550115"),
    Person("106", "1", "Finn Field", "(202) 555-0116 x7"),
    Person("107", "1", "Mona Marsh", "202-555-0120"),
    Person("201", "2", "Gwen Grant", "202-555-0121"),
    Person("202", "2", "Hugo Hayes", "202-555-0122", OPTED_IN),
    Person("301", "3", "Jon Joyce", "202-555-0131"),
    Person("401", "4", "Ned Nolan", "202-555-0141"),
    Person("402", "4", "Liam Lowe", "+12025550120"),  # the phone that Mona Marsh has as well
)
_IRIS = Person("203", "2", "Iris Irwin", "202-555-0123")

THE_DAY = Story(
    our_number="+12025550100",
    companies=(
        Company("1", "Acme Dental", APPROVED),
        Company("2", "Birch Legal", APPROVED),
        Company("3", "Cedar Farms"),
        Company("4", "Dune Motors"),
    ),
    people=_PEOPLE,
    begins="08:00",
    at_first={person.id: Outcome(person.opt_in, _NO_EVIDENCE) for person in _PEOPLE},
    scenes=(
        Scene(
            "Five people opt in; the companies of two of them have not approved texting",
            (
                Texts("09:02", "101", "#Go"),
                Texts("09:04", "102", "#go!"),
                Texts("09:05", "201", "#Go"),
                Texts("09:07", "301", "#Go"),
                Texts("09:09", "401", "#Go"),
            ),
            {"101": _IN, "102": _IN, "201": _IN, "301": _HELD, "401": _HELD},
        ),
        Scene(
            "One person writes first, one only answers us, one is not clear",
            (
                WeText("10:30", "105", "Your printer works again, right?"),
                Texts("10:41", "105", "Yes, it does, thank you"),
                Texts("10:44", "104", "Hi, my laptop does not start"),
                Texts("10:48", "106", "Please stop texting me after 6 pm"),
            ),
            {
                "104": Outcome(OPTED_IN, _WROTE_FIRST),
                "105": _NOTHING,
                "106": Outcome(EMPTY, _NO_EVIDENCE, review=True),
            },
        ),
        Scene(
            "Opt-outs: by keyword, in plain words, from a phone that two people share; a company approves",
            (
                Texts("13:15", "102", "#Stop"),
                Texts("13:16", "102", "Thanks, bye"),
                Texts("13:20", "103", "Please take me off your list"),
                Texts("13:31", "107", "STOP"),
                Approval("14:00", "4", APPROVED),
            ),
            {"102": _OUT, "103": _OUT, "107": _OUT, "402": _OUT, "401": _IN},
        ),
        Scene(
            "A company no longer wants texts",
            (Approval("15:30", "2", OPTED_OUT),),
            {"201": _COMPANY_OUT, "202": _COMPANY_OUT},
        ),
        Scene(
            "Somebody joins that company afterwards",
            (Joins("16:45", _IRIS),),
            {"203": _COMPANY_OUT},
        ),
    ),
)
