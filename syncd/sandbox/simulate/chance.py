"""What goes wrong, and when. Everything is drawn from the seed, so the same seed fails in the same way."""

from __future__ import annotations

from collections import Counter
from random import Random

# How often a kind strikes, at each place where it may, in a world in which it strikes at all. A call has several
# places to be killed at, so kills are rarer.
CALLS = (0.03, 0.1, 0.3)
RATES: dict[str, tuple[float, ...]] = {
    "no connection": CALLS,
    "answer lost": CALLS,
    "busy (429)": CALLS,
    "server error (500)": CALLS,
    "token expired (401)": (0.01, 0.03, 0.1),
    "malformed answer": CALLS,
    "short list": (0.03, 0.1),
    "filter ignored": (0.3, 1.0),
    "write refused": (0.03, 0.1),
    "write not kept": (0.1, 0.3),
    "write done late": (0.1, 0.3),
    "reads lag behind writes": (0.1, 0.5),
    "killed": (0.003, 0.01, 0.03),
    "disk full": (0.003, 0.01, 0.03),
    "other thread": (0.1, 0.3),
    "second thought": (0.3, 0.6),
    "staff acts as well": (0.1, 0.3),
    "late text": (0.1, 0.5),
    "text listed twice": (0.1, 0.3),
    "clock set": (0.02, 0.1),
}

# Struck in so many of ten worlds each; the others show what a single kind does, which a mixture may hide.
COMMON = 0.6


class Chance:
    """The dice of one world. While it is `calm` nothing strikes."""

    def __init__(self, seed: str, never: frozenset[str] = frozenset()) -> None:
        self.dice = Random(f"faults {seed}")
        self.calm = False
        self.hits: Counter[str] = Counter()
        self.rates = {
            kind: self.dice.choice(rates) if self.dice.random() < COMMON and kind not in never else 0.0
            for kind, rates in RATES.items()
        }
        self.latencies = self.dice.choice(((0.0,), (0.0, 0.0, 1.0), (0.1, 1.0, 3.0)))
        self.lag = self.dice.choice((1.5, 20.0, 100.0))

    def strikes(self, kind: str) -> bool:
        """Whether it happens here and now."""
        rate = self.rates[kind]
        if not rate or self.calm or self.dice.random() >= rate:
            return False
        self.hits[kind] += 1
        return True

    def latency(self) -> float:
        """How long a call takes (seconds)."""
        return self.dice.choice(self.latencies)
