"""The PrimeVOX stand-in over real HTTP: what is documented, each odd behaviour, and each fault."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import requests
from stand_in_primevox import ANN, AT, BEN, LIST, OURS, READ, conversations, get, served, web

from syncd.sandbox.faults import (
    delay,
)
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import (
    CONVERSATION_REQUIRED,
    INVALID_KEY,
    KEY_AND_CONTAINER_REQUIRED,
    NO_SUCH_NUMBER,
    NUMBER_REQUIRED,
    PrimeVoxServer,
)
from syncd.sandbox.primevox_forms import ABSENT, PrimeVoxQuirks

primevox = pytest.fixture(served)
session = pytest.fixture(web)


def messages(primevox, session, who=ANN):
    return get(primevox, session, READ, conversationID=primevox.conversation_id(OURS, who)).json()["messages"]


# Documented.


def test_conversations_and_messages_in_the_documented_shape(primevox, session):
    first = primevox.receive(OURS, ANN, "Hello\u2009\U0001f600 a/b", AT)
    second = primevox.send(OURS, ANN, "Hi", AT + timedelta(minutes=2))
    answer = get(primevox, session)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == {
        "conversations": {
            primevox.conversation_id(OURS, ANN): {
                "conversationWith": "2025550111",
                "hasUnreadMessages": 0,
                "lastMessageDate": "2026-03-04 15:18:17",
            }
        }
    }
    assert messages(primevox, session) == {
        first: {
            "messageDate": "2026-03-04 15:16:17",
            "messageFrom": "2025550111",
            "messageText": "Hello\u2009\U0001f600 a/b",
        },
        second: {"messageDate": "2026-03-04 15:18:17", "messageFrom": "2025550100", "messageText": "Hi"},
    }


@pytest.mark.parametrize(
    ("path", "params", "code", "text"),
    [
        (LIST, {"auth": None}, 401, KEY_AND_CONTAINER_REQUIRED),
        (LIST, {"containerID": None, "containerid": "100200"}, 401, KEY_AND_CONTAINER_REQUIRED),
        (LIST, {"phoneNumber": None}, 400, NUMBER_REQUIRED),
        (LIST, {"phoneNumber": None, "phonenumber": "2025550100"}, 400, NUMBER_REQUIRED),
        (LIST, {"phoneNumber": "4412025550100"}, 400, NUMBER_REQUIRED),
        (LIST, {"auth": "wrong"}, 401, INVALID_KEY),
        (LIST, {"containerID": "999999"}, 401, INVALID_KEY),
        (LIST, {"phoneNumber": "2025550199"}, 404, NO_SUCH_NUMBER),
        (READ, {"auth": "", "conversationID": "1"}, 401, KEY_AND_CONTAINER_REQUIRED),
        (READ, {}, 400, CONVERSATION_REQUIRED),
        (READ, {"conversationid": "1"}, 400, CONVERSATION_REQUIRED),
        (READ, {"auth": "wrong", "conversationID": "1"}, 401, INVALID_KEY),
    ],
)
def test_documented_errors(primevox, session, path, params, code, text):
    answer = get(primevox, session, path, **params)
    assert (answer.status_code, answer.json()) == (code, {"error": text})


def test_other_paths_and_methods(primevox, session):
    assert session.get(primevox.base_url + "/api/messaging/v2/conversations").status_code == 404
    assert session.post(primevox.base_url + LIST).status_code == 405


def test_ten_or_eleven_digits_are_taken_and_plus_only_when_allowed(primevox, session):
    assert get(primevox, session, phoneNumber="12025550100").status_code == 200
    assert get(primevox, session, phoneNumber="+12025550100").status_code == 400
    primevox.change(accepted_numbers=frozenset({"+1"}))
    assert get(primevox, session, phoneNumber="+12025550100").status_code == 200
    assert get(primevox, session, phoneNumber="2025550100").status_code == 400


def test_unread_follows_the_last_direction_and_the_portal(primevox, session):
    primevox.receive(OURS, ANN, "Hi", AT)
    [entry] = conversations(primevox, session).values()
    assert entry["hasUnreadMessages"] == 1
    primevox.set_conversation(OURS, ANN, unread=False)
    [entry] = conversations(primevox, session).values()
    assert entry["hasUnreadMessages"] == 0
    primevox.change(reading_clears_unread=True)
    primevox.receive(OURS, ANN, "Hi", AT)
    messages(primevox, session)
    [entry] = conversations(primevox, session).values()
    assert entry["hasUnreadMessages"] == 0


# What the documentation leaves open.


@pytest.mark.parametrize("empty", ["{}", "[]", "null"])
def test_empty_maps(primevox, session, empty):
    primevox.change(empty=empty)
    assert get(primevox, session).text == f'{{"conversations":{empty}}}'
    assert get(primevox, session, READ, conversationID="1").text == f'{{"messages":{empty}}}'


def test_answer_without_the_expected_key(primevox, session):
    primevox.change(empty="absent")
    assert get(primevox, session).json() == {}


def test_a_list_instead_of_a_map(primevox, session):
    primevox.receive(OURS, ANN, "Hi", AT)
    primevox.change(shape="list")
    assert conversations(primevox, session)[0]["conversationWith"] == "2025550111"
    assert messages(primevox, session)[0]["messageText"] == "Hi"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("10", "2025550111"),
        ("11", "12025550111"),
        ("+1", "+12025550111"),
        ("formatted", "(202) 555-0111"),
        ("int", 2025550111),
        ("int11", 12025550111),
    ],
)
def test_number_forms(primevox, session, form, expected):
    primevox.receive(OURS, ANN, "Hi", AT, "1")
    primevox.send(OURS, ANN, "Ho", AT, "2")
    primevox.change(conversation_with=form)
    [entry] = conversations(primevox, session).values()
    assert entry["conversationWith"] == expected
    assert messages(primevox, session)["1"]["messageFrom"] == "2025550111"
    primevox.change(message_from=form, own_message_from="formatted")
    assert messages(primevox, session)["1"]["messageFrom"] == expected
    assert messages(primevox, session)["2"]["messageFrom"] == "(202) 555-0100"


def test_senders_that_are_no_us_number(primevox, session):
    for sender in ("55512", "someone@example.com", "anonymous"):
        primevox.receive(OURS, sender, "Hi", AT)
    shown = {entry["conversationWith"] for entry in conversations(primevox, session).values()}
    assert shown == {"55512", "someone@example.com", "anonymous"}


@pytest.mark.parametrize(
    ("quirks", "message_date", "last_date"),
    [
        ({"date": "microseconds"}, "2026-03-04 15:16:17.123456", "2026-03-04 15:16:17.123456"),
        ({"date": "T"}, "2026-03-04T15:16:17", "2026-03-04T15:16:17"),
        ({"date": "Z", "last_date": "seconds"}, "2026-03-04T15:16:17Z", "2026-03-04 15:16:17"),
        ({"date": "offset", "last_date_minutes": -360}, "2026-03-04T15:16:17+00:00", "2026-03-04T09:16:17-06:00"),
        ({"last_date_granularity": "minute"}, "2026-03-04 15:16:17", "2026-03-04 15:16:00"),
    ],
)
def test_date_forms(primevox, session, quirks, message_date, last_date):
    primevox.receive(OURS, ANN, "Hi", AT, "1")
    primevox.change(**quirks)
    assert messages(primevox, session)["1"]["messageDate"] == message_date
    [entry] = conversations(primevox, session).values()
    assert entry["lastMessageDate"] == last_date


def test_last_date_need_not_move_on_outbound(primevox, session):
    primevox.receive(OURS, ANN, "Hi", AT)
    primevox.send(OURS, ANN, "Ho", AT + timedelta(hours=1))
    primevox.change(last_date_moves_on_outbound=False)
    [entry] = conversations(primevox, session).values()
    assert entry["lastMessageDate"] == "2026-03-04 15:16:17"


@pytest.mark.parametrize("pair", [(1, 0), ("1", "0"), (True, False), (1, None), (1, ABSENT)])
def test_unread_forms(primevox, session, pair):
    primevox.receive(OURS, ANN, "Hi", AT)
    primevox.send(OURS, BEN, "Hi", AT - timedelta(hours=1))
    primevox.change(unread=pair)
    unread, read = (entry.get("hasUnreadMessages", ABSENT) for entry in conversations(primevox, session).values())
    assert (unread, read) == pair
    assert type(unread) is type(pair[0])


def test_ids_of_text_and_given_ids(session):
    with PrimeVoxServer(quirks=PrimeVoxQuirks(ids="text")) as primevox:
        assert re.fullmatch(r"m-[0-9a-f]{14}", primevox.receive(OURS, ANN, "Hi"))
        assert re.fullmatch(r"c-[0-9a-f]{14}", primevox.conversation_id(OURS, ANN))
        assert primevox.send(OURS, ANN, "Ho", message_id="0007") == "0007"
        with pytest.raises(ValueError, match="exists already"):
            primevox.send(OURS, ANN, "Ho", message_id="0007")


def test_caps_keep_the_newest_or_the_oldest(primevox, session):
    primevox.fill(OURS, 60, 1, at=AT)
    for second in range(60):
        primevox.receive(OURS, ANN, str(second), AT + timedelta(days=1, seconds=second))
    primevox.change(max_conversations=50, max_messages=50)
    assert len(conversations(primevox, session)) == 50
    assert next(iter(conversations(primevox, session))) == primevox.conversation_id(OURS, ANN)
    assert {entry["messageText"] for entry in messages(primevox, session).values()} == {
        str(n) for n in range(10, 60)
    }
    primevox.change(cap_keeps="oldest", order="oldest")
    assert primevox.conversation_id(OURS, ANN) not in conversations(primevox, session)
    assert [entry["messageText"] for entry in messages(primevox, session).values()][:2] == ["0", "1"]


def test_conversations_vanish_and_read_empty(primevox, session):
    primevox.receive(OURS, ANN, "Hi", AT)
    primevox.set_conversation(OURS, ANN, listed=False)
    assert conversations(primevox, session) == {}
    assert len(messages(primevox, session)) == 1
    primevox.set_conversation(OURS, ANN, listed=True, readable=False)
    assert len(conversations(primevox, session)) == 1
    assert messages(primevox, session) == {}


@pytest.mark.parametrize(("form", "code"), [("empty", 200), ("404", 404), ("error", 200)])
def test_unknown_conversation(primevox, session, form, code):
    primevox.change(unknown_conversation=form)
    answer = get(primevox, session, READ, conversationID="77")
    assert answer.status_code == code
    assert ("messages" in answer.json()) == (form == "empty")


@pytest.mark.parametrize(("form", "code"), [("invalid", 401), ("not found", 404), ("empty", 200)])
def test_key_of_another_container(primevox, session, form, code):
    primevox.add_container("100300", "other", [fictional_number(1)])
    primevox.change(foreign_key=form)
    assert get(primevox, session, auth="other").status_code == code


def test_late_arrival_shows_later_without_moving_the_marker(session):
    now = [AT]
    with PrimeVoxServer(clock=lambda: now[0]) as primevox:
        auth = {"auth": "sandbox-key+/="}
        late = primevox.receive(OURS, ANN, "#Stop", AT - timedelta(hours=1), visible_at=AT + timedelta(minutes=5))
        assert get(primevox, session, **auth).json() == {"conversations": {}}
        primevox.receive(OURS, ANN, "Hi", AT)
        primevox.receive(OURS, BEN, "first", visible_at=AT + timedelta(minutes=1))
        before = get(primevox, session, **auth).json()["conversations"]
        read = {"path": READ, "conversationID": primevox.conversation_id(OURS, ANN), **auth}
        assert late not in get(primevox, session, **read).json()["messages"]
        now[0] += timedelta(minutes=2)
        assert len(get(primevox, session, **auth).json()["conversations"]) == 2
        now[0] += timedelta(minutes=9)
        assert late in get(primevox, session, **read).json()["messages"]
        assert before.items() <= get(primevox, session, **auth).json()["conversations"].items()


def test_odd_message_fields(primevox, session):
    primevox.receive(OURS, ANN, None, AT, "1")
    primevox.receive(OURS, ANN, 1, AT, "2")
    primevox.receive(OURS, ANN, "x", AT, "3", fields={"messageText": ABSENT, "messageDate": "0000-00-00 00:00:00"})
    primevox.receive(OURS, ANN, "half \ud83d pair", AT, "4")
    shown = messages(primevox, session)
    assert (shown["1"]["messageText"], shown["2"]["messageText"]) == (None, 1)
    assert shown["3"] == {"messageDate": "0000-00-00 00:00:00", "messageFrom": "2025550111"}
    assert shown["4"]["messageText"] == "half \ud83d pair"
    primevox.change(raw_unicode=True)
    with pytest.raises(UnicodeDecodeError):
        get(primevox, session, READ, conversationID=primevox.conversation_id(OURS, ANN)).content.decode()


def test_odd_conversation_fields_and_deleted_messages(primevox, session):
    message = primevox.receive(OURS, ANN, "Hi", AT)
    primevox.set_conversation(OURS, ANN, fields={"lastMessageDate": None, "conversationWith": ABSENT})
    [entry] = conversations(primevox, session).values()
    assert entry == {"hasUnreadMessages": 1, "lastMessageDate": None}
    primevox.delete_message(OURS, ANN, message)
    assert conversations(primevox, session) == {}


def test_texts_escaped_pictured_and_answered(primevox, session):
    primevox.change(html_escaped=True, stop_auto_reply="You are unsubscribed.")
    primevox.receive(OURS, ANN, "Don't & won't", AT, "1")
    primevox.receive(OURS, ANN, "STOP", AT, "2", attachment=("image/png", "7781"))
    primevox.receive(OURS, ANN, "stop", AT, "3")
    shown = {entry["messageText"]: entry["messageFrom"] for entry in messages(primevox, session).values()}
    assert shown == {
        "Don&#x27;t &amp; won&#x27;t": "2025550111",
        "STOP [MMS:image/png:7781]": "2025550111",
        "stop": "2025550111",
        "You are unsubscribed.": "2025550100",
    }


def test_extra_fields_and_duplicate_keys(primevox, session):
    primevox.receive(OURS, ANN, "Hi", AT, "1")
    primevox.change(extra_fields=True, duplicate_keys=True)
    assert messages(primevox, session)["1"]["x_internal"] == {"flags": [1, None]}
    text = get(primevox, session, READ, conversationID=primevox.conversation_id(OURS, ANN)).text
    assert text.count('"1":{') == 2


def test_two_of_our_numbers_text_each_other(primevox, session):
    other = fictional_number(1)
    primevox.add_container("100200", "k+/=", [other])
    primevox.send(OURS, other, "Hi", AT)
    primevox.receive(other, OURS, "Hi", AT)
    primevox.remove_number(other)
    assert get(primevox, session, phoneNumber=other[2:]).status_code == 404
    assert len(conversations(primevox, session)) == 1


def test_dates_without_zone_are_refused(primevox):
    with pytest.raises(ValueError, match="zone"):
        primevox.receive(OURS, ANN, "Hi", datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(KeyError, match="not one of our numbers"):
        primevox.receive(ANN, BEN, "Hi")


# Load.


def test_two_thousand_conversations_are_served_fast_and_in_parallel(primevox):
    primevox.fill(OURS, 2000, 2)

    def poll(_turn):
        with requests.Session() as session:
            return [len(get(primevox, session).content) for _ in range(10)]

    poll(0)
    primevox.faults.add(delay(0.05), times=4)
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        sizes = {size for result in pool.map(poll, range(4)) for size in result}
    assert len(sizes) == 1
    assert time.monotonic() - begun < 2
    assert primevox.max_in_flight > 1


def test_texts_may_arrive_while_others_read(primevox, session):
    def text(index):
        for turn in range(50):
            primevox.receive(OURS, fictional_number(20 + index), f"{turn}")

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(text, range(4))
        while len(conversations(primevox, session)) < 4:
            pass
        list(done)
    total = sum(len(messages(primevox, session, fictional_number(20 + index))) for index in range(4))
    assert total == 200
