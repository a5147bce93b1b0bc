"""Every fault over real HTTP, and the server under the stand-ins: its record, its stop, its defects."""

import io
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from stand_in_primevox import ANN, AT, LIST, OURS, READ, conversations, get, served, web

from syncd.sandbox.exchange import Answer
from syncd.sandbox.faults import (
    BLANK_LINES,
    BOM,
    PHP_WARNING,
    answering,
    content_type,
    delay,
    drip_body,
    drip_headers,
    empty_body,
    error_under_200,
    gzip_bomb,
    gzipped,
    hang_up,
    html_page,
    huge_body,
    lost_answer,
    prefixed,
    redirect,
    reset,
    stall,
    status,
    too_many_requests,
    truncated,
)
from syncd.sandbox.people import fictional_number
from syncd.sandbox.primevox import (
    PrimeVoxServer,
)
from syncd.sandbox.serve import serve
from syncd.sandbox.server import StandIn

primevox = pytest.fixture(served)
session = pytest.fixture(web)


# Faults.


@pytest.mark.parametrize("code", [401, 403, 404, 500, 502, 503])
def test_status_faults_count_down(primevox, session, code):
    rule = primevox.faults.add(status(code), path="/conversations$", times=2)
    assert [get(primevox, session).status_code for _ in range(3)] == [code, code, 200]
    assert rule.hits == 2
    assert [request.fault for request in primevox.requests] == [f"status {code}"] * 2 + [None]
    assert [request.status for request in primevox.requests] == [code, code, 200]


def test_faults_match_by_method_path_predicate_and_position(primevox, session):
    primevox.faults.add(status(500), method="POST", times=None)
    primevox.faults.add(status(502), path="/conversation$", times=None)
    primevox.faults.add(status(503), when=lambda r: r.query["phoneNumber"].endswith("0100"), skip=1)
    assert [get(primevox, session).status_code for _ in range(3)] == [200, 503, 200]
    assert get(primevox, session, READ, conversationID="1").status_code == 502
    primevox.faults.clear()
    assert get(primevox, session, READ, conversationID="1").status_code == 200
    primevox.faults.script([None, status(500), reset()])
    assert get(primevox, session).status_code == 200
    assert get(primevox, session).status_code == 500
    with pytest.raises(requests.ConnectionError):
        get(primevox, session)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, None),
        (10, "10"),
        ("soon", "soon"),
        (-5, "-5"),
        (datetime(2026, 3, 4, 15, 16, 17, tzinfo=UTC), "Wed, 04 Mar 2026 15:16:17 GMT"),
    ],
)
def test_too_many_requests(primevox, session, given, sent):
    primevox.faults.add(too_many_requests(given))
    answer = get(primevox, session)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, sent)


@pytest.mark.parametrize("code", [302, 307])
def test_redirects(primevox, session, code):
    primevox.faults.add(redirect("http://127.0.0.1:9/login", code))
    answer = get(primevox, session)
    assert (answer.status_code, answer.headers["Location"]) == (code, "http://127.0.0.1:9/login")


def test_bodies_that_are_not_the_json(primevox, session):
    primevox.faults.script(
        [
            html_page(),
            empty_body(),
            error_under_200("no"),
            content_type("text/html"),
            gzipped(),
            content_type(None),
        ]
    )
    page = get(primevox, session)
    assert page.status_code == 200
    assert page.text.startswith("<!DOCTYPE")
    assert get(primevox, session).content == b""
    assert get(primevox, session).json() == {"error": "no"}
    assert get(primevox, session).headers["Content-Type"] == "text/html"
    assert get(primevox, session).json() == {"conversations": {}}
    assert "Content-Type" not in get(primevox, session).headers


@pytest.mark.parametrize("before", [BOM, BLANK_LINES, PHP_WARNING, b"\xff"])
def test_something_before_the_json(primevox, session, before):
    primevox.faults.add(prefixed(before))
    assert get(primevox, session).content == before + b'{"conversations":{}}'


def test_answering_changes_the_true_answer(primevox, session):
    primevox.faults.add(answering(lambda answer: Answer(418, answer.body + b"!")))
    answer = get(primevox, session)
    assert (answer.status_code, answer.content) == (418, b'{"conversations":{}}!')


def test_truncated_bodies(primevox, session):
    primevox.faults.script([truncated(), truncated(length="full"), truncated(length="chunked")])
    with pytest.raises(requests.JSONDecodeError):
        get(primevox, session).json()
    for _ in range(2):
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
            get(primevox, session)


def test_lost_connections_before_and_after_the_effect(primevox, session):
    primevox.change(reading_clears_unread=True)
    primevox.receive(OURS, ANN, "Hi", AT)
    identity = primevox.conversation_id(OURS, ANN)
    for fault, unread in ((reset(), 1), (hang_up(), 1), (lost_answer(), 0), (lost_answer("close"), 0)):
        primevox.set_conversation(OURS, ANN, unread=True)
        primevox.faults.add(fault, path="/conversation$")
        with pytest.raises(requests.ConnectionError):
            get(primevox, session, READ, conversationID=identity)
        assert primevox.wait_until(lambda: primevox.in_flight == 0)
        [entry] = conversations(primevox, session).values()
        assert entry["hasUnreadMessages"] == unread


def test_an_error_after_the_effect(primevox, session):
    primevox.change(reading_clears_unread=True)
    primevox.receive(OURS, ANN, "Hi", AT)
    primevox.faults.add(status(502, after_effect=True), path="/conversation$")
    assert get(primevox, session, READ, conversationID=primevox.conversation_id(OURS, ANN)).status_code == 502
    assert next(iter(conversations(primevox, session).values()))["hasUnreadMessages"] == 0


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_stall_ends_when_released(primevox, session, effect):
    rule = primevox.faults.add(stall(effect))
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(get, primevox, session)
        assert primevox.wait_until(lambda: rule.hits == 1)
        assert not answer.done()
        rule.release()
        assert answer.result(3).status_code == 200


@pytest.mark.parametrize("fault", [stall(), stall("never"), drip_body(0.5), drip_headers(0.5), delay(60)])
def test_slow_answers_time_out_and_stop_ends_them(fault, session):
    primevox = PrimeVoxServer().start()
    primevox.faults.add(fault)
    with pytest.raises((requests.Timeout, requests.ConnectionError)):
        get(primevox, session, auth="sandbox-key+/=", timeout=0.15)
    begun = time.monotonic()
    primevox.stop()
    assert time.monotonic() - begun < 0.5
    assert primevox.crashes == []


def test_stop_cuts_off_callers_that_wait_without_timeout(session):
    primevox = PrimeVoxServer().start()
    primevox.faults.add(stall())
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(get, primevox, session, timeout=None)
        assert primevox.wait_until(lambda: primevox.in_flight == 1)
        primevox.stop()
        with pytest.raises(requests.ConnectionError):
            answer.result(3)


def test_drips_and_delays_end_with_the_true_answer(primevox, session):
    primevox.faults.script([drip_body(0.001), drip_headers(0.0005), delay(0.01), delay(0.01, then=status(500))])
    assert [get(primevox, session).status_code for _ in range(4)] == [200, 200, 200, 500]


def test_gzip_bomb_and_huge_bodies(primevox, session):
    primevox.faults.script([gzip_bomb(8), huge_body(2), huge_body(2, declared=False)])
    bomb = get(primevox, session)
    assert int(bomb.headers["Content-Length"]) < 20_000
    assert len(bomb.json()["error"]) == 8 << 20
    assert len(get(primevox, session).json()["error"]) == 2 << 20
    assert len(get(primevox, session).json()["error"]) == 2 << 20


def test_a_caller_that_leaves_a_huge_body_harms_nobody(primevox, session):
    primevox.faults.add(huge_body(100))
    url = f"{primevox.base_url}{LIST}"
    with session.get(url, stream=True, timeout=3) as answer:
        answer.raw.read(10)
    assert get(primevox, session).status_code == 200


# The server itself.


def test_requests_are_recorded(primevox, session):
    session.get(primevox.base_url + LIST + "?auth=a%2Bb&auth=c&empty=", headers={"X-Note": "hi"})
    [request] = primevox.requests
    assert (request.method, request.path, request.query) == ("GET", LIST, {"auth": "c", "empty": ""})
    assert request.headers["x-note"] == "hi"
    assert request.headers["absent"] is None
    assert abs(datetime.now(UTC) - request.at) < timedelta(seconds=5)
    session.put(primevox.base_url + READ, json={"a": 1})
    assert primevox.requests_to("/conversation$", "PUT")[0].json() == {"a": 1}
    primevox.forget_requests()
    assert primevox.requests == []


def test_away_for_a_while_on_the_same_port(primevox, session):
    address = primevox.base_url
    primevox.stop()
    primevox.stop()
    with pytest.raises(requests.ConnectionError):
        get(primevox, session)
    primevox.start()
    assert primevox.base_url == address
    assert get(primevox, session).status_code == 200


def test_connections_are_kept_alive(primevox, session):
    for _ in range(3):
        get(primevox, session)
    ports = {request.headers["Connection"] for request in primevox.requests}
    assert ports == {"keep-alive"}
    assert len(session.get_adapter(primevox.base_url).poolmanager.pools) == 1


def test_a_defect_of_a_stand_in_is_not_hidden(session):
    class Broken(StandIn):
        def answer(self, request):
            raise LookupError("a defect")

    broken = Broken().start()
    with pytest.raises(requests.ConnectionError):
        session.get(broken.base_url + "/")
    assert broken.wait_until(lambda: broken.crashes != [])
    with pytest.raises(AssertionError, match="stand-in failed"):
        broken.__exit__(None, None, None)


def test_not_started_has_no_address():
    with pytest.raises(RuntimeError, match="not been started"):
        assert PrimeVoxServer().base_url


def test_fictional_numbers_are_all_different_and_fictional():
    numbers = {fictional_number(index) for index in range(5000)}
    assert len(numbers) == 5000
    assert all(re.fullmatch(r"\+1[2-9]\d\d55501\d\d", number) for number in numbers)


def test_serve_runs_named_stand_ins_until_told():
    out, done = io.StringIO(), threading.Event()
    thread = threading.Thread(target=serve, args=(["primevox", "autotask"],), kwargs={"out": out, "until": done})
    thread.start()
    while "Interrupt" not in out.getvalue():
        time.sleep(0.01)
    shown = dict(re.findall(r"^(\w+)\n  base_url: (\S+)$", out.getvalue(), re.MULTILINE))
    query = {"auth": "sandbox-key+/=", "containerID": "100200", "phoneNumber": "2025550100"}
    answer = requests.get(shown["primevox"] + LIST, params=query, timeout=3)
    assert len(answer.json()["conversations"]) == 5
    assert json.loads(requests.get(shown["autotask"] + "/VersionInformation", timeout=3).text)
    done.set()
    thread.join(3)
    assert not thread.is_alive()
    with pytest.raises(ValueError, match="no stand-in called nobody"):
        serve(["nobody"])


# --- how a body comes, and how a connection ends ---------------------------------------------------------


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut short"])
def test_a_body_in_chunks_is_read(primevox, cut):
    body = b"5\r\nphone\r\n3;x=1\r\n=20\r\n" + (b"" if cut else b"0\r\nX-Late: 1\r\n\r\n")
    head = b"POST /any HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", primevox.port), timeout=3) as line:
        line.sendall(head + body)
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(65536)
    assert answer.startswith(b"" if cut else b"HTTP/1.1 4")
    assert [request.body for request in primevox.requests] == ([] if cut else [b"phone=20"])


def test_who_asks_for_the_end_of_the_connection_is_told_of_it(primevox, session):
    params = {"auth": "k+/=", "containerID": "100200", "phoneNumber": "2025550100"}
    url = primevox.base_url + LIST
    assert (
        session.get(url, params=params, timeout=3, headers={"Connection": "close"}).headers["Connection"]
        == "close"
    )
    assert "Connection" not in session.get(url, params=params, timeout=3).headers
