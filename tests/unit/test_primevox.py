"""PrimeVOX's answers, one row per thing that its documentation leaves open. No network.

The numbers at the head of the test ids are those of our list of open questions about this API, so that a row can
be found again when PrimeVOX answers one of them.
"""

from __future__ import annotations

import dataclasses
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from syncd.clock import Clock
from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Answer, Limits, Transport
from syncd.model import Direction, Message, PhoneNumber
from syncd.primevox import Line, Listed, Listing, PrimeVox, Thread, suspected_cap

BASE = "https://pbx.example"
LIST = f"{BASE}/api/messaging/v1/conversations"
THREAD = f"{BASE}/api/messaging/v1/conversation"
KEY = "canary+/=&'<KEY>"
OURS = PhoneNumber("+12025550100")
OUR_OTHER = "+12025550101"
CLIENT = "+12025550123"
LINE = Line(OURS, "100200", SecretStr(KEY))
LISTED = Listed("c1", CLIENT, "2026-01-02 03:04:05")

MISSING_KEY = "API Key and Container ID are both required."
WRONG_KEY = "The supplied API Key is invalid."
WRONG_NUMBER = "Either you left out the phoneNumber parameter, or you are trying to text with a non-USA number."
NO_CONVERSATION = "You must include a ConversationID to fetch."
NO_NUMBER = "The phone number you provided does not exist in this container."
DATABASE = "Error connecting to the database, please try again later."


class Impatient(Clock):
    """Nobody waits in these tests."""

    def sleep(self, seconds: float) -> bool:
        return False


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


@pytest.fixture
def vox() -> Iterator[PrimeVox]:
    transport = Transport(Impatient(), Limits(10_000, 1.0, 8))
    yield PrimeVox(transport, BASE, frozenset({OURS, OUR_OTHER}))
    transport.close()


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "conversationWith": "2025550123",
        "hasUnreadMessages": 1,
        "lastMessageDate": "2026-01-02 03:04:05",
    } | fields


def text(**fields: Any) -> dict[str, Any]:
    return {"messageDate": "2026-01-02 03:04:05", "messageFrom": "2025550123", "messageText": "#Stop"} | fields


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def parsed(body: str | bytes) -> tuple[dict[str, Listed], tuple[str, ...]]:
    content = body if isinstance(body, bytes) else body.encode()
    return Listing(Answer("GET /list", 200, {}, content)).conversations()


def read(vox: PrimeVox, web: responses.RequestsMock, body: Any, listed: Listed = LISTED, **more: Any) -> Thread:
    web.upsert("GET", THREAD, body=body if isinstance(body, (str, bytes)) else json.dumps(body), **more)
    return vox.thread(LINE, listed)


def read_one(vox: PrimeVox, web: responses.RequestsMock, message: Any, listed: Listed = LISTED) -> Message:
    thread = read(vox, web, {"messages": {"m1": message}}, listed)
    assert thread.rejected == ()
    return thread.messages[0]


def asked(web: responses.RequestsMock) -> list[str]:
    return [call.request.params["phoneNumber"] for call in web.calls]


def everything_in(error: BaseException, *, local_variables: bool) -> str:
    """All that could reach a log: texts, arguments, chains, and even the locals of our own frames."""
    found, waiting, seen = [], [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found += [str(one), repr(one), repr(one.args), repr(vars(one))]
        trace = traceback.TracebackException.from_exception(one, capture_locals=local_variables)
        found += ["".join(trace.format()) if not local_variables else ""]
        found += [repr(frame.locals) for frame in trace.stack if frame.filename.startswith(str(OURS))]
        waiting += [linked for linked in (one.__cause__, one.__context__) if linked]
    return "\n".join(found)


def assert_no_key(error: BaseException, *, local_variables: bool = True) -> None:
    said = everything_in(error, local_variables=local_variables)
    for form in (KEY, "canary%2B", "canary+", "canary"):
        assert form not in said


# --- the list: shape -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"conversations": {}}', id="01-empty-map"),
        pytest.param('{"conversations": []}', id="01-empty-map-as-php-writes-it"),
        pytest.param('\ufeff \r\n{"conversations": {}}\n\n', id="04-bom-and-blanks"),
        pytest.param('\n\ufeff\ufeff{"conversations": {}}', id="04-blanks-and-two-boms"),
    ],
)
def test_an_empty_list_is_empty(body: str) -> None:
    assert parsed(body) == ({}, ())


BROKEN = [
    pytest.param('{"%s": null}', id="01-null"),
    pytest.param('{"%s": [{"conversationWith": "2025550123"}]}', id="02-list-with-entries-has-lost-its-ids"),
    pytest.param('{"%s": "none"}', id="03-text"),
    pytest.param('{"%s": 0}', id="03-number"),
    pytest.param('{"%s": false}', id="03-false"),
    pytest.param('{"success": true}', id="03-neither-key"),
    pytest.param('{"error": "Busy."}', id="03-error-under-200-with-unknown-text"),
    pytest.param('{"error": null, "%s": {"1": {}}}', id="03-error-and-key"),
    pytest.param('{"\\u0065rror": "Busy.", "%s": {"1": {}}}', id="03-error-spelled-with-an-escape"),
    pytest.param('{"error": ["x"], "%s": {}}', id="03-error-that-is-a-list"),
    pytest.param("", id="04-empty-body"),
    pytest.param("[]", id="04-list-at-the-top"),
    pytest.param("null", id="04-null-at-the-top"),
    pytest.param("7", id="04-number-at-the-top"),
    pytest.param("<!DOCTYPE html><html><body>Log in</body></html>", id="04-html"),
    pytest.param(
        '<br />\n<b>Warning</b>: Undefined variable in x.php on line 8<br />{"%s": {}}', id="04-php-warning"
    ),
    pytest.param('{"%s": {}} trailing', id="04-text-after-the-json"),
    pytest.param('{"%s": {"c1": {"conversationWith": "20255', id="06-truncated"),
    pytest.param(b'{"%s": {"c1": {"conversationWith": "\xff\xfe"}}}', id="06-invalid-utf-8"),
    pytest.param('{"%s": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001, id="06-nested-too-deep"),
    pytest.param('{"error": ' + "[" * 100_000 + "]" * 100_000 + "}", id="06-error-nested-too-deep"),
    pytest.param('{"%s": {"c1": {"lastMessageDate": ' + "9" * 5000 + "}}}", id="06-integer-of-5000-digits"),
    pytest.param('{"%s": {"c1": {"lastMessageDate": NaN}}}', id="06-nan"),
    pytest.param('{"%s": {"c1": {"lastMessageDate": -Infinity}}}', id="06-infinity"),
]


@pytest.mark.parametrize("body", BROKEN)
def test_a_list_of_another_shape_is_never_read_as_empty(body: str | bytes) -> None:
    with pytest.raises(ShapeChanged):
        parsed(
            body.replace(b"%s", b"conversations")
            if isinstance(body, bytes)
            else body.replace("%s", "conversations")
        )


@pytest.mark.parametrize("body", BROKEN)
def test_a_conversation_of_another_shape_is_never_read_as_empty(
    body: str | bytes, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    with pytest.raises(ShapeChanged) as caught:
        read(
            vox,
            web,
            body.replace(b"%s", b"messages") if isinstance(body, bytes) else body.replace("%s", "messages"),
        )
    assert_no_key(caught.value)


@pytest.mark.parametrize("body", ['{"messages": {}}', '{"messages": []}'], ids=["23-map", "23-list"])
def test_a_conversation_that_was_just_listed_is_not_empty(
    body: str, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    with pytest.raises(ShapeChanged, match="c1 is listed, but read as empty"):
        read(vox, web, body)


def test_04_the_content_type_does_not_matter(vox: PrimeVox, web: responses.RequestsMock) -> None:
    web.get(LIST, body='{"conversations": {"c1": {"conversationWith": "2025550123"}}}', content_type="text/html")
    assert list(vox.listing(LINE).conversations()[0]) == ["c1"]


def test_06_a_date_that_cannot_be_kept_as_json_skips_its_entry_only() -> None:
    deep = "[" * 300 + "]" * 300
    found, remarks = parsed(
        f'{{"conversations": {{"c0": {{"conversationWith": "2025550123", "lastMessageDate": {deep}}},'
        '"c1": {"conversationWith": "2025550123"}}}'
    )
    assert "c1" in found
    assert len(found) + len(remarks) == 2


# --- the list: entries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "theirs"),
    [
        pytest.param("2025550123", CLIENT, id="10-ten-digits"),
        pytest.param("12025550123", CLIENT, id="10-eleven-digits"),
        pytest.param("+12025550123", CLIENT, id="10-e164"),
        pytest.param("(202) 555-0123", CLIENT, id="10-formatted"),
        pytest.param(2025550123, CLIENT, id="10-integer"),
        pytest.param(12025550123, CLIENT, id="10-integer-of-eleven"),
        pytest.param(2025550123.0, CLIENT, id="10-float"),
        pytest.param("24273", "other:24273", id="10-short-code"),
        pytest.param(24273, "other:24273", id="10-short-code-as-integer"),
        pytest.param("anonymous", "other:anonymous", id="10-anonymous"),
        pytest.param("Pat@mail.example", "other:pat@mail.example", id="10-mail-gateway"),
        pytest.param("x\ud800", "other:x\ufffd", id="10-lone-surrogate"),
    ],
)
def test_a_party_has_one_form(shown: Any, theirs: str) -> None:
    found, remarks = parsed(json.dumps({"conversations": {"c1": entry(conversationWith=shown)}}))
    assert (found["c1"].theirs, remarks) == (theirs, ())


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"bad": None}, id="07-null-entry"),
        pytest.param({"bad": "text"}, id="07-text-entry"),
        pytest.param({"bad": []}, id="07-list-entry"),
        pytest.param({"bad": {}}, id="07-empty-entry"),
        pytest.param({"bad": entry(conversationWith=None)}, id="07-no-party"),
        pytest.param({"bad": entry(conversationWith=" ")}, id="07-blank-party"),
        pytest.param({"bad": entry(conversationWith=True)}, id="07-true-party"),
        pytest.param({"bad": entry(conversationWith=["2025550123"])}, id="07-list-party"),
        pytest.param({"bad": entry(conversationWith=1.5)}, id="07-fraction-party"),
        pytest.param({"": entry()}, id="09-empty-id"),
        pytest.param({"bad\ud800": entry()}, id="09-id-that-cannot-be-sent"),
        pytest.param({"bad\0": entry()}, id="09-id-with-nul"),
    ],
)
def test_a_bad_entry_is_named_and_does_not_block_the_others(bad: dict[str, Any]) -> None:
    found, remarks = parsed(json.dumps({"conversations": bad | {"good": entry()}}))
    assert list(found) == ["good"]
    assert len(remarks) == 1
    assert remarks[0].isascii()
    assert remarks[0].startswith("conversation ")
    assert "skipped" in remarks[0]


@pytest.mark.parametrize("unread", [1, "1", True, 0, "0", False, None, "no", {}, ...], ids=repr)
def test_08_the_unread_flag_is_not_looked_at(unread: Any) -> None:
    shown = entry(hasUnreadMessages=unread) if unread is not ... else without(entry(), "hasUnreadMessages")
    assert parsed(json.dumps({"conversations": {"c1": shown}})) == ({"c1": LISTED}, ())


def test_07_unknown_fields_are_ignored() -> None:
    body = {"page": 1, "conversations": {"c1": entry(extra={"a": [1]}, tenantID="0")}, "success": True}
    assert parsed(json.dumps(body)) == ({"c1": LISTED}, ())


@pytest.mark.parametrize("conversation", ["7", "007", "-1", "0", "a b/c?d=&e", "ü", "error", "9" * 40], ids=ascii)
def test_09_ids_stay_text(conversation: str) -> None:
    assert list(parsed(json.dumps({"conversations": {conversation: entry()}}))[0]) == [conversation]


def test_15_and_16_the_marker_is_opaque_and_tells_any_two_values_apart() -> None:
    dates = [
        "2026-01-02 03:04:05",
        "2026-01-02 03:04:06",
        "01/02/26",
        "0000-00-00 00:00:00",
        "",
        None,
        0,
        1767323045,
    ]
    dates += [1.5, True, [], [1], {}, {"date": "2026-01-02"}, "Jan 2 \ud800"]
    markers = [
        parsed(json.dumps({"conversations": {"c1": entry(lastMessageDate=date)}}))[0]["c1"].marker
        for date in dates
    ]
    assert markers[:4] == dates[:4]
    # [] and {} are the same nothing in PHP.
    assert len(set(markers)) == len(dates) - 1
    missing = parsed(json.dumps({"conversations": {"c1": without(entry(), "lastMessageDate")}}))[0]["c1"].marker
    assert missing == ""
    for marker in markers:
        marker.encode()


def test_a_conversation_that_is_listed_twice_keeps_both_markers() -> None:
    twice = '{"conversations": {"c1": {"conversationWith": "2025550123", "lastMessageDate": "%s"}, "c2": %s,'
    twice += '"c1": {"conversationWith": "%s", "lastMessageDate": "%s"}}}'
    other = json.dumps(entry())
    found, remarks = parsed(twice % ("A", other, "12025550123", "B"))
    assert sorted(found) == ["c1", "c2"]
    assert remarks == ("conversation c1 is listed twice",)
    changed = {parsed(twice % (one, other, "2025550123", two))[0]["c1"].marker for one in "AB" for two in "AB"}
    assert len(changed) == 4
    assert "only its first number" in parsed(twice % ("A", other, "2025550124", "B"))[1][0]


def test_a_repeated_conversations_key_loses_nothing() -> None:
    one, two = json.dumps({"c1": entry()}), json.dumps({"c2": entry()})
    assert sorted(parsed(f'{{"conversations": {one}, "conversations": {two}}}')[0]) == ["c1", "c2"]
    with pytest.raises(ShapeChanged):
        parsed(f'{{"conversations": {one}, "conversations": null}}')


def test_the_digest_follows_the_bytes_and_needs_no_parsing() -> None:
    def digest(body: bytes) -> str:
        return Listing(Answer("GET /list", 200, {}, body)).digest

    assert digest(b"not json") == digest(b"not json") != digest(b"not json ")


def test_20_round_counts_are_suspicious() -> None:
    assert [count for count in range(2001) if suspected_cap(count)] == [50, 100, 200, 500, 1000]


# --- asking for the list ---------------------------------------------------------------------------------


def accepting(
    *forms: str, refusal: tuple[int, str] = (404, NO_NUMBER)
) -> Callable[[Any], tuple[int, dict[str, str], str]]:
    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        if request.params["phoneNumber"] in forms:
            return 200, {}, '{"conversations": {}}'
        return refusal[0], {}, json.dumps({"error": refusal[1]})

    return answer


def test_29_the_parameters_are_spelled_exactly_and_encoded(vox: PrimeVox, web: responses.RequestsMock) -> None:
    web.get(LIST, body='{"conversations": {}}')
    web.get(THREAD, body=json.dumps({"messages": {"m": text()}}))
    vox.listing(LINE)
    vox.thread(LINE, dataclasses.replace(LISTED, id="a b/c?d=&e"))
    first, second = (call.request for call in web.calls)
    assert first.params == {"auth": KEY, "containerID": "100200", "phoneNumber": "2025550100"}
    assert second.params == {"auth": KEY, "containerID": "100200", "conversationID": "a b/c?d=&e"}
    assert "auth=canary%2B%2F%3D%26%27%3CKEY%3E&" in first.url


@pytest.mark.parametrize(
    "refusal", [(404, NO_NUMBER), (400, WRONG_NUMBER), (200, NO_NUMBER), (200, WRONG_NUMBER)], ids=str
)
@pytest.mark.parametrize(
    ("form", "before"),
    [("2025550100", []), ("12025550100", ["2025550100"]), ("+12025550100", ["2025550100", "12025550100"])],
)
def test_10_the_form_of_our_number_is_found_once(
    refusal: tuple[int, str], form: str, before: list[str], vox: PrimeVox, web: responses.RequestsMock
) -> None:
    web.add_callback("GET", LIST, accepting(form, refusal=refusal))
    for _ in range(3):
        assert vox.listing(LINE).conversations() == ({}, ())
    assert asked(web) == [*before, form, form, form]


def test_10_the_form_is_remembered_for_each_line(vox: PrimeVox, web: responses.RequestsMock) -> None:
    web.add_callback("GET", LIST, accepting("12025550100", "2025550101"))
    other = dataclasses.replace(LINE, number=PhoneNumber(OUR_OTHER))
    for line in (LINE, other, LINE, other):
        vox.listing(line)
    assert asked(web) == ["2025550100", "12025550100", "2025550101", "12025550100", "2025550101"]


def test_10_a_form_that_worked_is_not_the_only_one_tried_when_it_stops_working(
    vox: PrimeVox, web: responses.RequestsMock
) -> None:
    web.add_callback("GET", LIST, accepting("+12025550100"))
    vox.listing(LINE)
    web.upsert(responses.CallbackResponse("GET", LIST, accepting("2025550100")))
    vox.listing(LINE)
    assert asked(web)[3:] == ["+12025550100", "2025550100"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        pytest.param((404, NO_NUMBER), "does not know", id="25-404"),
        pytest.param((404, "No such number"), "does not know", id="25-404-in-other-words"),
        pytest.param((200, NO_NUMBER.upper()), "does not know", id="25-404-text-under-200"),
        pytest.param((400, WRONG_NUMBER), "does not accept", id="25-400"),
        pytest.param((200, WRONG_NUMBER), "does not accept", id="25-400-text-under-200"),
    ],
)
def test_a_number_that_primevox_does_not_know_is_a_matter_of_configuration(
    refusal: tuple[int, str], words: str, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    web.add_callback("GET", LIST, accepting(refusal=refusal))
    with pytest.raises(ConfigProblem, match=words) as caught:
        vox.listing(LINE)
    assert f"{OURS} in container 100200; check primevox.containers" in str(caught.value)
    assert asked(web) == ["2025550100", "12025550100", "+12025550100"]
    assert_no_key(caught.value)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("body", ["", "<html>Not Found</html>", "{}"])
def test_25_a_404_of_somebody_else_says_nothing_about_the_number(
    status: int, body: str, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    web.get(LIST, status=status, body=body)
    with pytest.raises(ShapeChanged, match="base_url"):
        vox.listing(LINE)
    assert len(web.calls) == 1


FAILURES = [
    pytest.param(401, {"error": WRONG_KEY}, AuthRefused, id="26-wrong-key"),
    pytest.param(401, {"error": MISSING_KEY}, AuthRefused, id="26-missing-key"),
    pytest.param(200, {"error": WRONG_KEY}, AuthRefused, id="03-wrong-key-under-200"),
    pytest.param(200, {"error": MISSING_KEY}, AuthRefused, id="03-missing-key-under-200"),
    pytest.param(
        200, {"error": WRONG_KEY, "conversations": {}, "messages": {}}, AuthRefused, id="03-error-and-keys"
    ),
    pytest.param(500, {"error": WRONG_KEY}, AuthRefused, id="26-the-text-counts-more-than-the-status"),
    pytest.param(401, "<html>", AuthRefused, id="04-401-as-html"),
    pytest.param(500, {"error": DATABASE}, Transient, id="27-database"),
    pytest.param(200, {"error": DATABASE}, Transient, id="27-database-under-200"),
    pytest.param(404, {"error": DATABASE}, Transient, id="27-database-under-404"),
    pytest.param(500, "<html>", Transient, id="04-500-as-html"),
    pytest.param(500, "", Transient, id="04-500-empty"),
    pytest.param(502, "Bad Gateway", Transient, id="27-502"),
    pytest.param(503, {"conversations": {}, "messages": {}}, Transient, id="27-503-with-a-good-body"),
    pytest.param(429, {"error": "Slow down."}, Transient, id="27-429"),
    pytest.param(408, "", Transient, id="27-408"),
    pytest.param(403, {"error": "Forbidden"}, Permanent, id="28-403"),
    pytest.param(410, "", Permanent, id="28-410"),
    pytest.param(302, "", ShapeChanged, id="05-redirect"),
    pytest.param(304, "", ShapeChanged, id="05-not-modified"),
    pytest.param(204, "", ShapeChanged, id="04-no-content"),
    pytest.param(206, {"conversations": {}, "messages": {"1": {}}}, ShapeChanged, id="06-partial-content"),
]


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES)
@pytest.mark.parametrize("which", ["list", "conversation"])
def test_failures_say_what_to_do(
    which: str, status: int, body: Any, kind: type[SyncdError], vox: PrimeVox, web: responses.RequestsMock
) -> None:
    body = body if isinstance(body, str) else json.dumps(body)
    web.get(LIST if which == "list" else THREAD, status=status, body=body)
    with pytest.raises(SyncdError) as caught:
        vox.listing(LINE) if which == "list" else vox.thread(LINE, LISTED)
    assert type(caught.value) is kind
    assert len(web.calls) == 1
    assert_no_key(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, {"error": NO_CONVERSATION}, id="25-400"),
        pytest.param(200, {"error": NO_CONVERSATION}, id="25-400-under-200"),
        pytest.param(404, {"error": "No such conversation"}, id="25-404"),
        pytest.param(404, "<html>", id="25-404-as-html"),
    ],
)
def test_a_conversation_that_is_refused_is_parked(
    status: int, body: Any, vox: PrimeVox, web: responses.RequestsMock
) -> None:
    with pytest.raises(Permanent) as caught:
        read(vox, web, body, status=status)
    assert caught.value.status in (400, 404)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_27_retry_after_is_honoured(status: int, vox: PrimeVox, web: responses.RequestsMock) -> None:
    web.get(LIST, status=status, json={"error": DATABASE}, headers={"Retry-After": "77"})
    with pytest.raises(Transient) as caught:
        vox.listing(LINE)
    assert caught.value.retry_after == 77


@pytest.mark.parametrize(
    "url", ["http://pbx.example", "ftp://pbx.example", "pbx.example", "https://u:p@pbx.example"]
)
def test_30_https_only(url: str) -> None:
    with pytest.raises(ConfigProblem):
        PrimeVox(Transport(Impatient(), Limits(1, 1.0, 1)), url, frozenset())


def test_30_white_labels_have_their_own_host(web: responses.RequestsMock) -> None:
    transport = Transport(Impatient(), Limits(10, 1.0, 1))
    web.get("https://voice.label.example/api/messaging/v1/conversations", body='{"conversations": []}')
    vox = PrimeVox(transport, "https://voice.label.example/", frozenset())
    assert vox.listing(LINE).conversations() == ({}, ())
    transport.close()


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
