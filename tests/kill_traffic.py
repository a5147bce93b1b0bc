"""A daemon that is killed again and again at random moments while clients, staff and operators do what they do."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from kill_world import LINES, World, now, person

from syncd import desk
from syncd.clock import Clock
from syncd.errors import StoreUnavailable
from syncd.model import CompanyState, Consent

IN, OUT = Consent.OPTED_IN, Consent.OPTED_OUT
TEXTERS, TEXTS_EACH = range(24), 5
EDITED = range(24, 32)  # staff opts them out
CASCADED = range(32, 40)  # their company is opted out
UNCLEAR = range(40, 46)  # an operator decides that they opted out

# Seconds between two things that happen.
PAUSE = 0.2

# How long a daemon lives after its first request. It looks for wishes once a second, so some live longer.
SHORT, LONG, LONG_ONE_IN = (0.0, 0.4), (0.9, 1.5), 4


class Traffic:
    """People at work around a daemon. All that they do is drawn beforehand; `expected` is what must come of it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.expected: dict[str, Consent | None] = {}
        self._ledger: list[tuple[Any, ...]] = []
        self._trouble: list[BaseException] = []
        add = world.desk.add_company
        self._calm, self._leaving = (add(name, CompanyState.APPROVED) for name in ("Calm", "Leaving"))
        for index in (*TEXTERS, *EDITED, *CASCADED, *UNCLEAR):
            company = self._leaving if index in CASCADED else self._calm
            name = f"Person {index}"
            world.contacts[name] = world.desk.add_contact(company, name, [person(index)])
            self.expected[name] = OUT
        self._acts = list(self._drawn())

    def _drawn(self) -> Iterator[Callable[[], None]]:
        """Everything that will happen, in its order."""
        acts: list[tuple[float, Callable[[], None]]] = []

        def at_random(act: Callable[[], None]) -> None:
            acts.append((self.random.random(), act))

        for index in TEXTERS:
            words = [self.random.choice(("#Go", "STOP")) for _ in range(TEXTS_EACH)]
            self.expected[f"Person {index}"] = IN if words[-1] == "#Go" else OUT
            whens = sorted(self.random.random() for _ in words)
            for turn, (when, word) in enumerate(zip(whens, words, strict=True)):
                acts.append((when, self._text(index, word, turn)))
        for index in EDITED:
            contact = self.world.contacts[f"Person {index}"]
            at_random(lambda contact=contact: self.world.desk.set_contact(contact, consent=OUT))  # type: ignore[misc]
        at_random(lambda: self.world.desk.set_company(self._leaving, CompanyState.OPTED_OUT))
        for index in UNCLEAR:
            at_random(self._text(index, "no more alerts until Monday", 0))
        return (act for _, act in sorted(acts, key=lambda one: one[0]))

    def _text(self, index: int, word: str, turn: int) -> Callable[[], None]:
        """The person sends a text; each is dated a second after the one before, as its turn says."""

        def act() -> None:
            at = self._began + timedelta(seconds=turn)
            self.world.primevox.receive(LINES[index % 2], person(index), word, at)

        return act

    # --- while the daemon is killed --------------------------------------------------------------------------

    def flow(self) -> list[threading.Thread]:
        """Begin; the threads end when everything has happened and every wish was heard.

        Call it after the first pass: what was sent before that is history, whose opt-ins wait for a person.
        """
        self._began = now()
        threads = [threading.Thread(target=self._guarded, args=(job,)) for job in (self._act, self._operate)]
        for thread in threads:
            thread.start()
        return threads

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as trouble:  # noqa: BLE001  told by `check`
            self._trouble.append(trouble)

    def _act(self) -> None:
        for act in self._acts:
            act()
            time.sleep(PAUSE)

    def _operate(self) -> None:
        """Decide every text in review, through whoever has the database: the daemon, or nobody for a moment."""
        until = time.monotonic() + 300
        left = set(UNCLEAR)
        while left and time.monotonic() < until:
            waiting = {entry["number"]: entry["seq"] for entry in self.world.entries(live=True) if entry["text"]}
            for index in sorted(left & {index for index in UNCLEAR if person(index) in waiting}):
                wish = {"do": "review", "seq": waiting[person(index)], "decision": "opt_out", "by": "ann"}
                try:
                    desk.ask(self.world.url, wish, Clock())
                except StoreUnavailable:
                    continue  # as its text says: try again
                left.discard(index)
            time.sleep(0.05)
        assert not left, "wishes were not heard"

    def kill_once(self) -> None:
        """One life of a daemon."""
        world = self.world
        world.start(["run"])
        until = time.monotonic() + 30
        while not world.requests() and not world.launcher.child_has_ended():
            assert time.monotonic() < until, "the daemon does nothing"
            time.sleep(0.002)
        time.sleep(self.random.uniform(*(LONG if self.random.randrange(LONG_ONE_IN) == 0 else SHORT)))
        world.launcher.kill()
        ended = world.finish()
        assert ended.code in (-9, 75), ended.output  # 75: an operator's command has the database for a moment
        rows = world.ledger()
        assert rows[: len(self._ledger)] == self._ledger, "the ledger was not only added to"
        self._ledger = rows

    # --- afterwards ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything that was asked for came true, once."""
        if self._trouble:
            raise self._trouble[0]
        world = self.world
        assert not world.record.wrong, world.record.wrong
        shown = world.consents()
        wrong = {
            name: (shown[name], wanted) for name, wanted in self.expected.items() if shown[name] is not wanted
        }
        assert not wrong, f"shown and wanted: {wrong}"
        entries = world.entries()
        kinds = Counter((entry["kind"], entry["contact"] or entry["company"]) for entry in entries)
        texts = Counter(entry["message"] for entry in entries if entry["kind"] == "message")
        assert set(texts.values()) == {1}
        assert len(texts) == len(TEXTERS) * TEXTS_EACH + len(UNCLEAR)
        assert [kinds["staff", world.contacts[f"Person {index}"]] for index in EDITED] == [1] * len(EDITED)
        opt_outs = [entry for entry in entries if entry["kind"] == "company" and entry["opt_out"]]
        assert [entry["company"] for entry in opt_outs] == [self._leaving]
        decided = Counter(entry["of"] for entry in entries if entry["kind"] == "review")
        assert sorted(decided.values()) == [1] * len(UNCLEAR)
        told = {(entry["contact"], entry["after"]) for entry in entries if entry["kind"] == "write"}
        for name, consent in self.expected.items():
            if int(name.split()[1]) not in EDITED:
                assert (world.contacts[name], consent) in told, f"{name}: no entry of the write"
