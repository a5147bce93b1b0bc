"""What PrimeVOX says of one conversation, and what holds for all of its answers: no word of the key, nothing lost.

The numbers at the head of the test ids are explained in test_primevox.py.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from primevox_answers import (
    CLIENT,
    KEY,
    LINE,
    LIST,
    LISTED,
    OUR_OTHER,
    OURS,
    THREAD,
    assert_no_key,
    client,
    entry,
    mocked_web,
    parsed,
    read,
    read_one,
    text,
    without,
)

from syncd.errors import Permanent, SyncdError, Transient
from syncd.model import Direction
from syncd.primevox import PrimeVox

web = pytest.fixture(mocked_web)
vox = pytest.fixture(client)


# --- messages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "theirs", "direction"),
    [
        pytest.param("2025550123", CLIENT, "inbound", id="10-client-ten-digits"),
        pytest.param("+1 (202) 555-0123", CLIENT, "inbound", id="10-client-formatted"),
        pytest.param(12025550123, CLIENT, "inbound", id="10-client-integer"),
        pytest.param("24273", "other:24273", "inbound", id="10-short-code"),
        pytest.param("2025550100", CLIENT, "outbound", id="11-we-ten-digits"),
        pytest.param("+12025550100", CLIENT, "outbound", id="11-we-e164"),
        pytest.param(12025550100, CLIENT, "outbound", id="11-we-integer"),
        pytest.param("202.555.0101", CLIENT, "outbound", id="11-another-of-our-numbers"),
        pytest.param("2025550177", CLIENT, "unknown", id="11-a-third-party"),
        pytest.param("anonymous", CLIENT, "unknown", id="10-anonymous"),
        pytest.param("5550123", CLIENT, "unknown", id="10-without-area-code"),
        pytest.param("Pat <2025550123>", "other:x", "unknown", id="10-something-else"),
        pytest.param("2025550100", OUR_OTHER, "outbound", id="12-two-of-ours-this-line"),
        pytest.param("2025550101", OUR_OTHER, "outbound", id="12-two-of-ours-the-other-line"),
        pytest.param("2025550100", OURS, "outbound", id="12-a-line-that-texts-itself"),
    ],
)
def test_direction(sender: Any, theirs: str, direction: str, vox: PrimeVox, web: responses.RequestsMock) -> None:
    listed = dataclasses.replace(LISTED, theirs=theirs)
    message = read_one(vox, web, text(messageFrom=sender), listed)
    assert (message.direction, message.theirs) == (Direction(direction), theirs)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param("#Stop", "#Stop", id="13-text"),
        pytest.param("", "", id="13-empty"),
        pytest.param(None, "", id="13-null"),
        pytest.param(1, "1", id="13-integer"),
        pytest.param(1.5, "1.5", id="13-float"),
        pytest.param(True, "True", id="13-true"),
        pytest.param("STOP &amp; QUIT", "STOP &amp; QUIT", id="13-html-escaped-is-left-to-the-reader-of-texts"),
        pytest.param("don\\'t", "don\\'t", id="13-backslashes-too"),
        pytest.param("\u00a0STOP\u200b\u2019\U0001f44d", "\u00a0STOP\u200b\u2019\U0001f44d", id="13-unicode"),
        pytest.param("STOP\ud83d", "STOP\ufffd", id="13-half-an-emoji-is-no-question-mark"),
        pytest.param("STOP\0", "STOP\ufffd", id="13-nul"),
        pytest.param("[image/png:4711] STOP", "[image/png:4711] STOP", id="14-placeholder-is-left-in"),
    ],
)
def test_texts(shown: Any, expected: str, vox: PrimeVox, web: responses.RequestsMock) -> None:
    message = read_one(vox, web, text(messageText=shown))
    assert message.text == expected
    message.text.encode()


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param("2026-01-02 03:04:05", AT, id="15-without-zone-is-utc"),
        pytest.param("2026-01-02T03:04:05", AT, id="16-t"),
        pytest.param(" 2026-01-02 03:04:05\n", AT, id="16-blanks"),
        pytest.param("2026-01-02 03:04:05.104689", AT.replace(microsecond=104689), id="16-microseconds"),
        pytest.param("2026-01-02 03:04:05.1", AT.replace(microsecond=100_000), id="16-tenths"),
        pytest.param("2026-01-02 03:04:05,104689999", AT.replace(microsecond=104689), id="16-nanoseconds"),
        pytest.param("2026-01-02T03:04:05Z", AT, id="16-z"),
        pytest.param("2026-01-02t03:04:05.0z", AT, id="16-small-letters"),
        pytest.param("2026-01-01T22:04:05-05:00", AT, id="16-offset"),
        pytest.param("2026-01-01 22:04:05 -0500", AT, id="16-offset-without-colon"),
        pytest.param("2026-01-02 03:04", AT.replace(second=0), id="16-without-seconds"),
        pytest.param("2099-01-02 03:04:05", AT.replace(year=2099), id="16-future"),
        pytest.param("0000-00-00 00:00:00", None, id="16-zero-date"),
        pytest.param("-0001-11-30 00:00:00", None, id="16-zero-date-after-php"),
        pytest.param("1970-01-01 00:00:00", None, id="16-broken-date-after-php"),
        pytest.param("0001-01-01 00:00:00+14:00", None, id="16-before-the-calendar"),
        pytest.param("9999-12-31 23:59:59-14:00", None, id="16-after-the-calendar"),
        pytest.param("2026-02-30 03:04:05", None, id="16-no-such-day"),
        pytest.param("2026-01-02", None, id="16-without-time"),
        pytest.param("01/02/2026 3:04 AM", None, id="16-american"),
        pytest.param("2026-01-02 03:04:05 America/Chicago", None, id="16-named-zone"),
        pytest.param("\u0662\u0660\u0662\u0666-01-02 03:04:05", None, id="16-other-digits"),
        pytest.param("", None, id="16-empty"),
        pytest.param(None, None, id="16-null"),
        pytest.param(..., None, id="16-missing"),
        pytest.param(1767323045, None, id="16-number-could-be-many-things"),
        pytest.param("1767323045", None, id="16-number-as-text"),
        pytest.param(True, None, id="16-true"),
        pytest.param({"date": "2026-01-02 03:04:05"}, None, id="16-object"),
    ],
)
def test_dates_that_cannot_be_read_cost_nobody_his_opt_out(
    shown: Any, expected: datetime | None, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    message = read_one(vox, web, text(messageDate=shown) if shown is not ... else without(text(), "messageDate"))
    assert (message.sent_at, message.text, message.direction) == (expected, "#Stop", Direction.INBOUND)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(None, "it is null, not an object", id="07-null"),
        pytest.param("#Stop", "it is text, not an object", id="07-text"),
        pytest.param(1, "it is a number, not an object", id="07-number"),
        pytest.param([], "it is a list, not an object", id="07-list"),
        pytest.param(without(text(), "messageFrom"), "it has no messageFrom", id="07-no-sender"),
        pytest.param(text(messageFrom=None), "it has no messageFrom", id="07-null-sender"),
        pytest.param(text(messageFrom=" "), "it has no messageFrom", id="07-blank-sender"),
        pytest.param(text(messageFrom=False), "its messageFrom is true or false", id="07-false-sender"),
        pytest.param(text(messageFrom={}), "its messageFrom is an object", id="07-object-sender"),
        pytest.param(without(text(), "messageText"), "it has no messageText", id="07-no-text"),
        pytest.param(text(messageText=["#Stop"]), "its messageText is a list", id="07-list-text"),
        pytest.param(text(messageText={"a": 1}), "its messageText is an object", id="07-object-text"),
    ],
)
def test_a_bad_message_is_shown_and_does_not_block_the_others(
    bad: Any, reason: str, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    thread = read(vox, web, {"messages": {"m1": text(), "bad": bad, "m3": text()}})
    assert [message.id for message in thread.messages] == ["m1", "m3"]
    assert [(one.message_id, one.reason) for one in thread.rejected] == [("bad", reason)]


def test_07_a_surprise_in_one_message_does_not_block_the_others(
    vox: PrimeVox, web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprising(raw: str) -> str:
        if "0177" in raw:
            raise RuntimeError(raw)
        return CLIENT

    monkeypatch.setattr("syncd.primevox.party", surprising)
    thread = read(vox, web, {"messages": {"m1": text(), "bad": text(messageFrom="2025550177")}})
    assert len(thread.messages) == 1
    assert thread.rejected[0].reason == "it could not be read (RuntimeError)"


def test_09_and_17_messages_are_sorted_by_date_and_id_whatever_the_order_of_the_map(
    vox: PrimeVox, web: responses.RequestsMock
) -> None:
    later, undated = "2026-01-02 03:04:06", "0000-00-00 00:00:00"
    messages = {
        "z": text(messageDate=undated),
        "9": text(messageDate=later),
        "b": text(),
        "a": text(),
        "0": text(),
    }
    thread = read(vox, web, {"messages": messages})
    assert [message.id for message in thread.messages] == ["0", "a", "b", "9", "z"]


def test_09_ids_that_no_database_takes_stay_two(vox: PrimeVox, web: responses.RequestsMock) -> None:
    ids = ["m\ud800", "m\udfff", "m\0"]
    thread = read(vox, web, {"messages": dict(zip(ids, [text(), text(), None], strict=True))})
    ids = [message.id for message in thread.messages] + [one.message_id for one in thread.rejected]
    assert ids == ["m\\ud800", "m\\udfff", "m\\u0000"]


def test_18_and_24_old_messages_are_all_there(vox: PrimeVox, web: responses.RequestsMock) -> None:
    dates = [f"20{year}-01-02 03:04:05" for year in (26, 10, 24)]
    thread = read(vox, web, {"messages": {date: text(messageDate=date) for date in dates}})
    assert [message.id for message in thread.messages] == sorted(dates)


def test_a_message_id_that_comes_twice_loses_neither_text(vox: PrimeVox, web: responses.RequestsMock) -> None:
    one, two = json.dumps(text(messageText="#Stop")), json.dumps(text(messageText="thanks"))
    thread = read(vox, web, f'{{"messages": {{"m1": {one}, "m1": {two}}}}}')
    assert [(message.id, message.text) for message in thread.messages] == [("m1", "#Stop"), ("m1", "thanks")]


def test_a_field_that_comes_twice_counts_when_both_are_alike(vox: PrimeVox, web: responses.RequestsMock) -> None:
    fields = '"messageFrom": "2025550123", "messageText": "%s", "messageText": "%s", "x": 1, "x": 2'
    alike, different = fields % ("#Stop", "#Stop"), fields % ("#Stop", "#Go")
    thread = read(vox, web, f'{{"messages": {{"m1": {{{alike}}}, "m2": {{{different}}}}}}}')
    assert [message.id for message in thread.messages] == ["m1"]
    assert [one.reason for one in thread.rejected] == ["it has two different values of messageText"]


@pytest.mark.parametrize(
    ("count", "suspicious"), [(49, False), (50, True), (51, False), (500, True), (1000, True)]
)
def test_20_a_round_number_of_messages_is_a_gap(
    count: int, suspicious: bool, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    messages = {str(number): text() if number else None for number in range(count)}
    thread = read(vox, web, {"messages": messages})
    assert bool(thread.gap) is suspicious
    assert not suspicious or f"exactly {count} messages" in str(thread.gap)


# --- secrets ---------------------------------------------------------------------------------------------

ECHOES = [
    KEY,
    "canary%2B%2F%3D%26%27%3CKEY%3E",
    "canary%2b%2f%3d%26%27%3ckey%3e",
    "canary+/=&amp;&#x27;&lt;KEY&gt;",
]
ECHOES += [json.dumps(KEY), json.dumps(KEY).replace("/", "\\/")]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_29_a_page_that_repeats_the_key_does_not_carry_it_on(
    echo: str, status: int, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    for body in (
        f"<html>GET /conversations?auth={echo}&x</html>",
        " " * 590 + echo,
        f"{echo} {echo}",
        json.dumps({"error": echo}),
    ):
        web.upsert("GET", LIST, status=status, body=body)
        web.upsert("GET", THREAD, status=status, body=body)
        with pytest.raises(SyncdError) as caught:
            vox.listing(LINE).conversations()
        assert_no_key(caught.value, local_variables=False)
        with pytest.raises(SyncdError) as caught:
            vox.thread(LINE, LISTED)
        assert_no_key(caught.value, local_variables=False)


@pytest.mark.parametrize(
    "broken",
    [
        requests.exceptions.ConnectionError(f"refused: {LIST}?auth={KEY}"),
        requests.exceptions.ReadTimeout(f"{LIST}?auth={KEY}"),
        requests.exceptions.SSLError(f"{LIST}?auth={KEY}"),
        requests.exceptions.InvalidURL(f"{LIST}?auth={KEY}"),
        requests.exceptions.ChunkedEncodingError(f"{LIST}?auth={KEY}"),
        ConnectionResetError(f"{LIST}?auth={KEY}"),
        ValueError(f"{LIST}?auth={KEY}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_29_an_exception_that_holds_the_key_is_not_passed_on(
    broken: Exception, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    web.get(LIST, body=broken)
    with pytest.raises((Transient, Permanent)) as caught:
        vox.listing(LINE)
    assert_no_key(caught.value)


def test_29_nothing_shows_the_key(vox: PrimeVox, web: responses.RequestsMock) -> None:
    web.get(LIST, body=json.dumps({"conversations": {"c1": entry()}}))
    listing = vox.listing(LINE)
    for thing in (LINE, listing, vox, listing._answer, vars(vox)):
        assert "canary" not in f"{thing} {thing!r}"


# --- anything --------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["error", "conversations", "messages", "messageFrom", "messageText", "conversationWith", "1"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        NAMES, st.dictionaries(NAMES, st.dictionaries(NAMES, ANYTHING, max_size=3) | ANYTHING) | ANYTHING
    )
)
def test_whatever_json_comes_it_is_read_or_refused_in_our_own_words(vox: PrimeVox, body: Any) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        web.get(LIST, body=json.dumps(body))
        web.get(THREAD, body=json.dumps(body))
        for call in (lambda: vox.listing(LINE).conversations(), lambda: vox.thread(LINE, LISTED)):
            try:
                call()
            except SyncdError as error:
                assert_no_key(error)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.text(), ANYTHING), max_size=5))
def test_no_entry_goes_missing_without_a_word(entries: list[tuple[str, Any]]) -> None:
    pairs = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in entries)
    found, remarks = parsed(f'{{"conversations": {{{pairs}, "c1": {json.dumps(entry())}}}}}'.replace("{, ", "{"))
    assert "c1" in found
    assert len(found) + len(remarks) >= len(entries) + 1
