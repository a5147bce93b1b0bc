"""Custom fields: how a PSA describes them, how long that is believed, and what their values mean.

A PSA may store one thing in a list field (a number, a key) and show people another, and which of the two an answer
holds is not always known; so both count when reading, and what is stored is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from syncd.connector.moments import Moment, Moments
from syncd.errors import ConfigProblem, Problem
from syncd.model import PhoneNumber, phone_numbers

# Names and lists may be changed by an administrator at any time; this bounds how long that is missed.
SECONDS_TRUSTED = 900.0

CONTACT_FIELD, COMPANY_FIELD, PHONE_FIELDS = (
    f"psa.settings.{key}" for key in ("contact_field", "company_field", "phone_fields")
)

State = TypeVar("State", bound=StrEnum)
Known = TypeVar("Known")


def folded(value: object) -> str:
    """The form in which names and values are compared: " Yes" is "yes", true is "True", and 1.0 is "1"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


def own_numbers(texts: Iterable[object]) -> tuple[PhoneNumber, ...]:
    """The numbers in what the phone fields of a contact hold, as E.164, each once; None holds none."""
    found = (number for text in texts if text is not None for number in phone_numbers(str(text)))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list. One that is not active still stands in old records.

    value: what the PSA stores, and what is written
    label: what people see
    """

    value: int | str
    label: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field as the PSA describes it now.

    id:      None where records know it by its name only
    kind:    in the PSA's own word
    choices: the entries of a list; None: it is no list, or its entries may not be seen
    """

    id: int | None
    name: str
    kind: str
    is_list: bool = False
    choices: tuple[Choice, ...] | None = None
    read_only: bool = False

    def choice(self, value: object) -> Choice | None:
        """The entry that is meant by a value or a label; a value beats a label, where one word is both."""
        choices = self.choices or ()
        by_value = (one for one in choices if folded(one.value) == folded(value))
        by_label = (one for one in choices if folded(one.label) == folded(value))
        return next(by_value, None) or next(by_label, None)


class Vocabulary(Generic[State]):
    """What the values of one field mean, in both directions.

    psa:   its name, for messages
    where: the section of the settings that names the field and its values, for messages
    words: the values by what they mean, as `ContactField.words` has them; a state's name is also its key there
    """

    def __init__(self, psa: str, where: str, field: CustomField, words: Mapping[State, Sequence[object]]) -> None:
        self.field = field
        self._psa = psa
        self.where = where
        self._words = words
        self._meanings: dict[str, State] = {}
        named = [(state, value) for state, values in words.items() for value in values]
        for state, value in named:
            self._meanings[folded(value)] = state
            if choice := field.choice(value):
                self._meanings.setdefault(folded(choice.label), state)
        # Last, because a value beats a label.
        for state, value in named:
            if choice := field.choice(value):
                self._meanings[folded(choice.value)] = state

    def meaning(self, value: object) -> State | None:
        """What a value stands for; None for no value and for any other."""
        return None if value is None else self._meanings.get(folded(value))

    def knows(self, value: object) -> bool:
        """Whether the field can hold this value, as far as its description tells."""
        return self.field.choices is None or self.field.choice(value) is not None

    def value(self, state: State) -> Any:
        """What to write for it. Raises ConfigProblem when the field cannot hold it, or no longer."""
        wanted = self._words[state][0]
        choice = self.field.choice(wanted)
        problem = self.problem(state, wanted)
        if problem is None and choice is not None and not choice.active:
            what = f"'{wanted}' is switched off in the list of '{self.field.name}' in {self._psa}"
            problem = Problem(self.key(state), what)
        if problem is not None:
            raise ConfigProblem([problem])
        return wanted if choice is None else choice.value

    def must_be_complete(self) -> None:
        """Raise ConfigProblem with every configured value that the field cannot hold, or has for two things."""
        problems: list[Problem] = []
        taken: dict[object, State] = {}
        for state, values in self._words.items():
            for value in values:
                if problem := self.problem(state, value):
                    problems.append(problem)
                choice = self.field.choice(value)
                if choice is not None and taken.setdefault(choice.value, state) is not state:
                    what = f"'{choice.label}' ({choice.value}) of '{self.field.name}' cannot mean both"
                    problems.append(Problem(self.key(state), what))
        if problems:
            raise ConfigProblem(problems)

    def problem(self, state: State, value: object) -> Problem | None:
        """What is wrong with a value that the settings name; None: nothing."""
        if self.knows(value):
            return None
        known = ", ".join(repr(choice.label) for choice in self.field.choices or ()) or "nothing"
        what = f"'{value}' is not in the list of '{self.field.name}' in {self._psa}, which has: {known}"
        return Problem(self.key(state), what)

    def key(self, state: State) -> str:
        """Where the settings name the values of a state, for messages."""
        return f"{self.where}.{state.value}"


class Remembered(Generic[Known]):
    """What was looked up: when first needed, and again when it is doubted or may be old. Thread-safe.

    moments: None: it does not grow old
    """

    def __init__(self, moments: Moments | None = None) -> None:
        self._moments = moments
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Known, Moment | None]] = {}

    def get(self, key: str, look_up: Callable[[], Known]) -> Known:
        """What is known; where nothing is, `look_up` finds out, and may raise."""
        with self._lock:
            known = self._known.get(key)
            if known is None or self._is_old(known[1]):
                self._known.pop(key, None)
                found = look_up()
                known = self._known[key] = (found, self._moments.now() if self._moments else None)
            return known[0]

    def forget(self, key: str) -> None:
        """Look it up again before it is used next."""
        with self._lock:
            self._known.pop(key, None)

    def _is_old(self, since: Moment | None) -> bool:
        return self._moments is not None and since is not None and self._moments.passed(since, SECONDS_TRUSTED)
