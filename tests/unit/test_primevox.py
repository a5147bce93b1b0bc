"""PrimeVOX's answers, one row per thing that its documentation leaves open. No network.

The numbers at the head of the test ids are those of our list of open questions about this API, so that a row can
be found again when PrimeVOX answers one of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from primevox_answers import (
    CLIENT,
    KEY,
    LINE,
    LIST,
    LISTED,
    OUR_OTHER,
    OURS,
    THREAD,
    Impatient,
    assert_no_key,
    client,
    entry,
    mocked_web,
    parsed,
    read,
    text,
    without,
)

from syncd.errors import AuthRefused, ConfigProblem, Permanent, ShapeChanged, SyncdError, Transient
from syncd.http import Answer, Limits, Transport
from syncd.model import PhoneNumber
from syncd.primevox import Listing, PrimeVox, suspected_cap

MISSING_KEY = "API Key and Container ID are both required."
WRONG_KEY = "The supplied API Key is invalid."
WRONG_NUMBER = "Either you left out the phoneNumber parameter, or you are trying to text with a non-USA number."
NO_CONVERSATION = "You must include a ConversationID to fetch."
NO_NUMBER = "The phone number you provided does not exist in this container."
DATABASE = "Error connecting to the database, please try again later."

web = pytest.fixture(mocked_web)
vox = pytest.fixture(client)


def asked(web: responses.RequestsMock) -> list[str]:
    return [call.request.params["phoneNumber"] for call in web.calls]


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
