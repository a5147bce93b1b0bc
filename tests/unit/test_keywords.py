"""What holds for the reading of any text at all, and what can be configured about it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.keywords import Reading, Vocabulary, read
from syncd.model import Intent

KEYWORDS = (
    "stop",
    "quit",
    "end",
    "revoke",
    "opt out",
    "cancel",
    "unsubscribe",
    "stopall",
    "optout",
    "remove",
    "unsub",
    "arret",
    "arrêt",
    "exit",
    "#stop",
    "opt-out",
)
PUNCTUATION = st.text(alphabet=" .,!;:()[]\"'“”«»*_~-\n\t\u00a0\u200b\ufe0f\ufeff", max_size=6)


@given(
    word=st.sampled_from(KEYWORDS),
    case=st.lists(st.booleans(), min_size=12, max_size=12),
    left=PUNCTUATION,
    right=PUNCTUATION,
)
def test_case_and_outer_punctuation_never_matter(word: str, case: list[bool], left: str, right: str) -> None:
    cased = "".join(c.upper() if up else c for c, up in zip(word, case * 2, strict=False))
    assert read(left + cased + right).intent is Intent.OPT_OUT


@given(text=st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(read(text), Reading)


PIECES = [
    "stop",
    "#stop",
    "#go",
    "start",
    "texting me",
    "don't",
    "please",
    "> ",
    "\n",
    "[image/png ",
    "]",
    '"',
    "&#x",
    ";",
    "\\u",
    "d83d",
    "\ud83d",
    "\ude00",
    "🛑",
    "wrote:",
    "-- \n",
    "?",
    "\x00",
    "if you",
    "Liked “",
    "”",
    "unsubscribe",
    "reply",
    "to",
    "the",
    "9" * 30,
    "http://",
]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_mixture_of_meaningful_pieces_is_read(pieces: list[str]) -> None:
    assert isinstance(read(" ".join(pieces)), Reading)
    assert isinstance(read("".join(pieces)), Reading)


NASTY = [
    "stop texting me ",
    "[image/",
    "<image/png",
    "on x wrote ",
    "#",
    "a.",
    "> x\n",
    "the ",
    "🛑",
    "\ud800",
    "ﷺ",
    "&#1",
    "dont want the ",
    "why do i ",
    "not these texts please stop ",
    "1",
    " ",
]


@pytest.mark.parametrize("shape", NASTY, ids=ascii)
def test_a_megabyte_costs_no_more_than_a_long_text(shape: str) -> None:
    """Measured at 0.1 to 0.5 s; a quadratic pattern misses the bound by far."""
    text = shape * (1_000_000 // len(shape))
    began = time.perf_counter()
    read(text)
    assert time.perf_counter() - began < 2.5


def test_an_opt_out_is_found_in_a_long_text() -> None:
    chatter = "The printer on the second floor prints blank pages since Monday. " * 60
    assert read(chatter + "Please stop texting me.").intent is Intent.OPT_OUT
    assert read("Please stop texting me. " + chatter).intent is Intent.OPT_OUT
    assert read(chatter * 20 + "#Stop").intent is Intent.OPT_OUT
    assert read("STOP " * 500).intent is Intent.OPT_OUT


PLACEHOLDERS = [
    "[image/jpeg 12345]",
    "<image/png:abc>",
    "{MIME_TYPE=image/jpeg;MEDIA_ID=9}",
    "[[video/mp4|77]]",
    "image/jpeg:4711",
    "(audio/amr;id=3)",
    "|application/pdf|88|",
    "MIME_TYPE=image/png MEDIA_ID=9",
    "[image/jpeg](https://media.example.com/a/b)",
    "[image]",
    "<image/heic>",
]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_picture_changes_nothing(placeholder: str) -> None:
    assert read(placeholder) == Reading(Intent.ORDINARY, "empty")
    for text in (
        f"STOP {placeholder}",
        f"{placeholder} STOP",
        f"{placeholder}\nstop",
        f"stop\n{placeholder} {placeholder}",
    ):
        assert read(text).intent is Intent.OPT_OUT, text
    assert read(f"{placeholder} #Go").intent is Intent.OPT_IN
    assert read(f"the printer shows this {placeholder}") == Reading(Intent.ORDINARY, "words")


def test_the_placeholder_is_configurable() -> None:
    vocabulary = Vocabulary(attachment_patterns=(r"@@\w+@@",))
    assert read("STOP @@pic9@@", vocabulary).intent is Intent.OPT_OUT
    assert read("STOP [image/jpeg 1]", vocabulary).intent is not Intent.OPT_OUT


def test_commands_are_configurable_and_the_standard_words_stay() -> None:
    vocabulary = Vocabulary(opt_in_keywords=("#Ja", "count me in"), opt_out_keywords=("#Halt", "no thank you"))
    assert read("done here, #HALT!", vocabulary) == Reading(Intent.OPT_OUT, "command")
    assert read("All good. #ja", vocabulary) == Reading(Intent.OPT_IN, "command")
    assert read("Count me in!", vocabulary) == Reading(Intent.OPT_IN, "keyword")
    assert read("No thank you.", vocabulary) == Reading(Intent.OPT_OUT, "keyword")
    assert read("no thank you, the printer works", vocabulary).intent is Intent.ORDINARY
    assert read("STOP", vocabulary).intent is Intent.OPT_OUT
    assert read("#Go", vocabulary).intent is Intent.ORDINARY
    assert (
        read("#Halt", Vocabulary(opt_in_keywords=("#Halt",), opt_out_keywords=("#Halt",))).intent is Intent.OPT_OUT
    )


@pytest.mark.parametrize("keywords", [(), ("",), ("#",), ("...",), ("\ud800",), ("(",), ("#a.b*",)], ids=ascii)
def test_odd_keywords_match_nothing_by_accident(keywords: tuple[str, ...]) -> None:
    vocabulary = Vocabulary(opt_in_keywords=keywords, opt_out_keywords=keywords)
    assert read("the printer is down", vocabulary) == Reading(Intent.ORDINARY, "words")
    assert read("", vocabulary) == Reading(Intent.ORDINARY, "empty")
    assert read("stop", vocabulary).intent is Intent.OPT_OUT
