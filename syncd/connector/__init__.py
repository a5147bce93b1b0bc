"""The contract between syncd and a PSA.

A connector reads companies and contacts of one PSA and writes one field of a contact. It is small on
purpose: the shell does the pacing, the retries, the locking and the logging. A connector

- holds no loop around failures, never sleeps, never logs a body, never reads the clock;
- raises the exceptions of `syncd.errors` and nothing else that it could foresee;
- checks every row that a filtered query returned before it trusts the filter: several PSAs ignore a filter
  that they do not understand and return everything;
- counts a write as done only when the PSA has shown the new value;
- changes the opt-in field of contacts and nothing else.

Register it under the entry point group `syncd.connectors`; see `connectors/README.md`.

What connectors have in common is in the modules of this package, for connectors of others as well. None of it must
be used; each part stands on its own.

settings.py   types for settings: texts, secrets, addresses, the two fields
answers.py    reading answers that may hold anything
moments.py    time, told by the dates of the service
fields.py     custom fields: how they are described, looked up, and what their values mean
remarks.py    odd values, told once each
writing.py    writing contact by contact: what to do when one of them fails, or an answer is lost
checkup.py    the findings of `check`, in one form
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from syncd.http import Limits, Transport
from syncd.model import Company, Consent, Contact


class Settings(BaseModel):
    """Base of a connector's settings: strict, frozen, unknown keys refused. Secrets are `SecretStr`."""

    # The messages of pydantic quote what was given, and that may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Change:
    """Set the opt-in field of one contact.

    company_id: where the mirror last saw the contact
    shown:      what the mirror last saw in the field
    """

    contact_id: str
    company_id: str | None
    consent: Consent
    shown: Consent | None = None


class Result(StrEnum):
    """How the write of one contact ended."""

    APPLIED = "applied"  # written, and the PSA showed the new value
    ALREADY = "already"  # the PSA showed the value before; no writing request was sent
    GONE = "gone"  # the PSA has no such contact
    REFUSED = "refused"  # the PSA does not take this value for this contact, or did not keep it
    CHANGED = "changed"  # an opt-in was asked for, but somebody opted the contact out meanwhile: not written


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, with the reason in an operator's words where it was refused."""

    result: Result
    reason: str = ""


APPLIED = Outcome(Result.APPLIED)
ALREADY = Outcome(Result.ALREADY)
GONE = Outcome(Result.GONE)
CHANGED = Outcome(Result.CHANGED)


def overtaken(change: Change, present: Consent | None) -> bool:
    """Whether the contact was opted out since the shell looked: then an opt-in must not be written (CHANGED)."""
    opt_in = change.consent is Consent.OPTED_IN
    return opt_in and present is Consent.OPTED_OUT and change.shown is not Consent.OPTED_OUT


def refused(reason: str) -> Outcome:
    """The PSA did not take the value; the shell parks the contact and shows the reason."""
    return Outcome(Result.REFUSED, reason)


class Grade(StrEnum):
    """How a finding of `check` is shown."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"  # the admin must change something
    DOWN = "down"  # could not be reached, or has trouble of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `syncd check --online`: what was looked at, what was found, and what to do if it failed."""

    grade: Grade
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(finding.grade in (Grade.OK, Grade.NOTE) for finding in self.findings)

    @property
    def only_down(self) -> bool:
        """Whether something failed, but nothing that the admin must change."""
        return not self.passed and all(finding.grade is not Grade.FAIL for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a connector declares about its PSA.

    batch:  how many changes it may take from `changes` before it yields their outcomes
    limits: how many calls the PSA bears, and how many at once (None: no network)
    """

    batch: int = 1
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Shell:
    """What syncd hands to a connector.

    transport: makes HTTP clients that share the pace declared in `Traits.limits`
    remark:    tells the operator of one odd record ("contacts.csv line 7: no id"); shown once, not a failure
    """

    transport: Transport
    remark: Callable[[str], None]


class Connector(ABC):
    """One PSA. An instance is used by several threads at once; see each method for what it may assume."""

    name: ClassVar[str]
    settings_model: ClassVar[type[Settings]]
    traits: ClassVar[Traits]

    @abstractmethod
    def __init__(self, settings: Any, shell: Shell) -> None:
        """Keep the settings (an instance of `settings_model`). No network call happens here."""

    @abstractmethod
    def check(self) -> Report:
        """Look at credentials, permissions, fields and their values, and the rate budget. Change nothing."""

    @abstractmethod
    def companies(self) -> Iterator[Company]:
        """Every company with its present approval state, inactive ones too; cheap to repeat.

        The full state, never a difference: an approval that was withdrawn is found by comparing. Raise rather
        than return a list that may be incomplete.
        """

    @abstractmethod
    def contacts(self, company: str | None = None, changed_since: datetime | None = None) -> Iterator[Contact]:
        """Contacts, inactive ones too, each at most once: of one company, or all.

        `changed_since` is a hint that may be ignored. Raise rather than return a list that may be incomplete.
        """

    @abstractmethod
    def write(self, changes: Iterable[Change]) -> Iterator[tuple[str, Outcome]]:
        """Carry out changes; yield (contact id, outcome) for each, in any order, as soon as it is known.

        `changes` is lazy: take from it no more than `traits.batch` before yielding their outcomes, because the
        shell decides at that moment whether a change is still wanted. Read a contact before writing it: one
        that shows the value already is ALREADY and gets no writing request; one that shows opted out, while an
        opt-in is asked for and `change.shown` is not opted out, is CHANGED and gets none either: somebody opted
        it out since the shell looked, and older evidence must not undo that. An exception ends the iterator; give
        it `contact=` where one contact is to blame. Two calls never run with the same contact at once.
        """

    def close(self) -> None:  # noqa: B027  most connectors hold nothing to let go
        """Let go of connections and locks."""
