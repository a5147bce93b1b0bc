"""The findings of `check`, in one form and one order for every PSA: one screen, one line a finding.

A connector derives a class from `Checkup` and says, step by step, what it looks at. `report` is for one that wants
another order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeAlias

from syncd.connector import Finding, Grade, Report
from syncd.connector.fields import CustomField, State, Vocabulary, folded
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, SyncdError, Transient
from syncd.model import Company, CompanyState, Consent, Contact

Steps: TypeAlias = Mapping[str, Callable[[], Iterator[Finding]]]

# What moves a date shows only when somebody edits; `check` does not.
EDIT_ONE = "edit one by hand and check again to see if that counts"


class Checkup(ABC):
    """One screen of findings: what a PSA must have first, in the order in which an admin would look.

    A step that fails is a finding, and the next one is taken all the same; refused credentials end it.

    unknown:   what no read can tell, and what to do about it
    companies: what the connector's own `companies()` gave, once it was counted
    contacts:  the same of everybody
    """

    unknown: ClassVar[Sequence[str]] = ()

    def __init__(
        self, companies: Callable[[], Iterable[Company]], contacts: Callable[[], Iterable[Contact]]
    ) -> None:
        self._list_companies = companies
        self._list_contacts = contacts
        self.companies: list[Company] = []
        self.contacts: list[Contact] = []

    @abstractmethod
    def service(self) -> Iterator[Finding]:
        """Reached, where, in which version; with it credentials and allowance, where it takes no more to see."""

    def credentials(self) -> Iterator[Finding]:
        """Accepted; and the allowance: how many calls may be made, and how many were."""
        yield from ()

    @abstractmethod
    def permissions(self) -> Iterator[Finding]:
        """What the credentials may do."""

    @abstractmethod
    def consent_field(self) -> Iterator[Finding]:
        """The field of contacts exists, with its type and values."""

    @abstractmethod
    def approval_field(self) -> Iterator[Finding]:
        """The field of companies exists, with its type and values."""

    def counted_companies(self) -> Iterator[Finding]:
        """How many companies there are, in each state."""
        self.companies = list(self._list_companies())
        yield companies(self.companies)

    def counted_contacts(self) -> Iterator[Finding]:
        """How many contacts there are, and how many with a usable number."""
        self.contacts = list(self._list_contacts())
        yield contacts(self.contacts)

    def also_needed(self) -> Steps:
        """Further steps that must work, by the names of their findings."""
        return {}

    def also_shown(self) -> Steps:
        """What this installation shows of what the vendor does not document; a failure of these is a note."""
        return {}

    def report(self) -> Report:
        """Take all steps. What is only good to know is left out when something failed."""
        needed = {
            "service": self.service,
            "credentials": self.credentials,
            "permissions": self.permissions,
            "consent field": self.consent_field,
            "approval field": self.approval_field,
            "companies": self.counted_companies,
            "contacts": self.counted_contacts,
            **self.also_needed(),
        }
        return report(needed, self.also_shown(), self.unknown)


def report(needed: Steps, shown: Steps, unknown: Sequence[str]) -> Report:
    """Take the steps one after the other; one that fails is a finding, and the next is taken all the same.

    needed:  what must work, by the name of the finding; refused credentials end the checkup
    shown:   what is good to know; a failure of these is a note
    unknown: what no read can tell, and what to do about it
    """
    found: list[Finding] = []
    for what, step in needed.items():
        try:
            found.extend(step())
        except AuthRefused as error:
            # Each further try may count towards a lock-out.
            found.append(Finding(Grade.FAIL, "credentials", str(error)))
            return Report(tuple(found))
        except Transient as error:
            found.append(_failed(Grade.DOWN, what, error, found))
            if sum(finding.grade is Grade.DOWN for finding in found) > 1:
                return Report(tuple(found))  # not a hiccup: the other steps would only say so again
        except (ConfigProblem, Permanent, ShapeChanged) as error:
            found.append(_failed(Grade.FAIL, what, error, found))
    if Report(tuple(found)).passed:
        found += _shown(shown)
        if unknown:
            found.append(Finding(Grade.NOTE, "not shown", "; ".join(unknown)))
    return Report(tuple(found))


def _failed(grade: Grade, what: str, error: SyncdError, found: Sequence[Finding]) -> Finding:
    """What a step failed with; said once, where several fail for one reason."""
    before = next((one.what for one in found if one.detail == str(error)), None)
    return Finding(grade, what, str(error) if before is None else f"as said of the {before}")


def _shown(steps: Steps) -> Iterator[Finding]:
    for what, step in steps.items():
        try:
            yield from step()
        except (AuthRefused, ConfigProblem, Permanent, ShapeChanged, Transient) as error:
            yield Finding(Grade.NOTE, what, f"could not be seen: {error}")
            if isinstance(error, AuthRefused | Transient):
                return


def field(what: str, words: Vocabulary[State], written: Iterable[State] = ()) -> Iterator[Finding]:
    """What a field is called and which values it can hold. ConfigProblem when configured ones are not among them.

    written: what must be possible to write
    """
    yield described(what, words.field)
    words.must_be_complete()
    for state in written:
        words.value(state)
    if written and words.field.read_only:
        yield Finding(Grade.FAIL, what, f"'{words.field.name}' is read-only for us")


def described(what: str, field: CustomField) -> Finding:
    """A field's name, type and entries."""
    name = f"'{field.name}'" + ("" if field.id is None else f" ({field.id})")
    if not field.is_list:
        return Finding(Grade.OK, what, f"{name}, type {field.kind}")
    if field.choices is None:
        return Finding(Grade.NOTE, what, f"{name}, a list whose entries we may not see")
    choices = (
        f"'{choice.label}'"
        + (f" ({choice.value})" if choice.value != choice.label else "")
        + ("" if choice.active else " (switched off)")
        for choice in field.choices
    )
    return Finding(Grade.OK, what, f"{name}, list: {', '.join(choices) or 'empty'}")


def stored_form(field: CustomField, held: Iterable[object]) -> list[str]:
    """Whether records show the value or the label of a list's entries: a phrase, or none where they are the same.

    held: what some records hold in the field; None: nothing
    """
    choices = [one for one in field.choices or () if folded(one.value) != folded(one.label)]
    values, labels = {folded(one.value) for one in choices}, {folded(one.label) for one in choices}
    seen = Counter(
        "its value" if folded(one) in values else "its label"
        for one in held
        if one is not None and folded(one) in values | labels
    )
    if not choices:
        return []
    return [f"a list's entry shows {forms(seen)}" if seen else "no list's entry seen yet"]


def forms(counts: Mapping[str, int]) -> str:
    """The forms in which something was seen, with how often ("null (12)")."""
    return ", ".join(f"{form} ({count})" for form, count in counts.items() if count) or "not seen yet"


def companies(found: Iterable[Company]) -> Finding:
    """How many companies there are in each state. None at all is a failure: every PSA holds one."""
    states = [company.state for company in found]
    counts = ", ".join(f"{states.count(state)} {state.value}" for state in CompanyState)
    return Finding(Grade.OK if states else Grade.FAIL, "companies", f"{len(states)} seen: {counts}")


def contacts(found: Iterable[Contact], *more: str) -> Finding:
    """How many contacts there are, with which consent, and how many have a number that could text."""
    seen = usable = inactive = 0
    consents = dict.fromkeys(Consent, 0)
    for contact in found:
        seen += 1
        usable += bool(contact.numbers)
        inactive += not contact.active
        if contact.consent is not None:
            consents[contact.consent] += 1
    counts = ", ".join(f"{count} {consent.value}" for consent, count in consents.items())
    rest = [f"{inactive} inactive"] if inactive else []
    said = "; ".join([f"{seen} seen, {usable} with a usable number", counts, *rest, *more])
    return Finding(Grade.OK if seen else Grade.NOTE, "contacts", said)
