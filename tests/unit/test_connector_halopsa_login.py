"""How the HaloPSA connector logs in: where, how often, and what it makes of a refusal. Over real HTTP."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from connectors.halopsa import HaloPsa
from connectors.halopsa.client import HaloPsaClient
from connectors.halopsa.settings import HaloPsaSettings
from syncd.clock import Clock
from syncd.errors import AuthRefused, ConfigProblem, ShapeChanged, SyncdError, Transient
from syncd.http import Limits, Transport
from syncd.sandbox.faults import empty_body, html_page, redirect, reset, status
from syncd.sandbox.halopsa import HaloPsaServer


class Time:
    """A clock for the stand-in that a test moves."""

    def __init__(self):
        self.now = datetime(2026, 3, 4, 15, 16, 17, tzinfo=UTC)

    def __call__(self):
        return self.now

    def passes(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def halo(time):
    with HaloPsaServer(clock=time) as server:
        server.add_client("Acme", "Approved")
        yield server


@pytest.fixture
def connect():
    made = []

    def connected(server, **settings):
        given = {"base_url": server.base_url, "client_id": server.client_id, "client_secret": server.client_secret}
        transport = Transport(Clock(), Limits(calls=10_000, per=1.0, concurrency=8))
        made.append(transport)
        return HaloPsaClient(HaloPsaSettings(**given | settings), transport)

    yield connected
    for transport in made:
        transport.close()


def logins(server):
    return server.requests_to("/auth/token$")


def test_one_login_serves_many_calls_and_asks_as_a_form_with_the_tenant_in_the_query(halo, connect):
    client = connect(halo)
    for _ in range(5):
        assert client.rows("Client")
    (login,) = logins(halo)
    assert login.query == {"tenant": "sandbox"}
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b"grant_type=client_credentials" in login.body
    assert len(halo.requests_to("authinfo")) == 1


def test_without_discovery_the_usual_place_is_asked(halo, connect):
    halo.change(authinfo="missing")
    assert connect(halo, tenant="sandbox").rows("Client")
    halo.faults.add(html_page(), path="authinfo")
    assert connect(halo).rows("Client")
    assert [login.query for login in logins(halo)] == [{"tenant": "sandbox"}, {}]


def test_a_set_address_and_tenant_need_no_discovery(halo, connect):
    assert connect(halo, auth_url=halo.base_url + "/auth/token", tenant="sandbox").rows("Client")
    assert halo.requests_to("authinfo") == []


def test_the_tenant_goes_as_query(halo, connect):
    halo.change(tenant_in="query")
    assert connect(halo).rows("Client")
    halo.change(tenant_in="form")
    with pytest.raises(Transient):
        connect(halo).rows("Client")


def test_a_server_elsewhere_never_hears_the_secret(halo, connect):
    halo.change(authinfo="elsewhere")
    with pytest.raises(ConfigProblem, match=r"evil\.example"):
        connect(halo).rows("Client")
    with HaloPsaServer() as other:
        halo.faults.add(status(200, {"auth_url": other.base_url + "/auth"}), path="authinfo")
        with pytest.raises(ConfigProblem, match="auth_url"):
            connect(halo).rows("Client")
        assert other.requests == []
    assert logins(halo) == []


def test_a_token_is_renewed_before_it_expires(halo, connect, time):
    client = connect(halo)
    client.rows("Client")
    time.passes(3530)
    client.rows("Client")  # the answer tells the time
    assert halo.logins == 1
    time.passes(15)
    client.rows("Client")
    client.rows("Client")
    assert halo.logins == 2
    assert not [request for request in halo.requests if request.status == 401]


def test_a_short_life_is_read_and_not_assumed(halo, connect, time):
    halo.change(token_seconds=50)
    client = connect(halo)
    for _ in range(10):
        client.rows("Client")
        time.passes(46)
    assert halo.logins >= 5
    assert not [request for request in halo.requests if request.status == 401]


def test_a_token_that_expired_unnoticed_is_replaced_once(halo, connect, time):
    client = connect(halo)
    client.rows("Client")
    time.passes(7200)
    assert client.rows("Client")
    assert halo.logins == 2
    assert len([request for request in halo.requests if request.status == 401]) == 1
    halo.expire_tokens()
    assert client.save_users([{"id": halo.add_user(12, "A B"), "customfields": []}]) == {}
    assert halo.logins == 3


def test_a_new_token_that_is_refused_ends_it_without_a_storm(halo, connect):
    client = connect(halo)
    halo.faults.add(status(401, b""), path="/api/Client", times=None)
    for tries in (1, 2, 3):
        with pytest.raises(AuthRefused, match="own token"):
            client.rows("Client")
        assert halo.logins == tries
        assert len(halo.requests_to("/api/Client")) == tries
    halo.faults.clear()
    assert client.rows("Client")


def test_an_old_token_that_is_refused_costs_one_login(halo, connect):
    client = connect(halo)
    client.rows("Client")
    halo.faults.add(status(401, b""), path="/api/Client", times=None)
    with pytest.raises(AuthRefused):
        client.rows("Client")
    assert halo.logins == 2
    assert len(halo.requests_to("/api/Client")) == 3


def test_a_wrong_secret_is_refused_once_for_everybody_who_waits(halo, connect):
    halo.change(latency=0.1)
    client = connect(halo, client_secret="wr0ng-one", auth_url=halo.base_url + "/auth", tenant="sandbox")
    failures: list[SyncdError] = []

    def work():
        try:
            client.rows("Client")
        except SyncdError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in failures] == [AuthRefused] * 6
    assert halo.failed_logins == 1
    assert "client credentials are invalid" in str(failures[0])
    assert "wr0ng-one" not in str(failures)


def test_threads_share_one_login(halo, connect):
    halo.change(latency=0.02)
    client = connect(halo)
    seen: list[int] = []
    for expected in (1, 2):
        threads = [threading.Thread(target=lambda: seen.append(len(client.rows("Client")))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert halo.logins == expected
        halo.expire_tokens()
    assert seen == [1] * 12
    assert halo.max_logins_at_once == 1


def test_a_wrong_tenant_is_named_as_a_possible_cause(halo, connect):
    with pytest.raises(Transient, match="tenant"):
        connect(halo, tenant="other").rows("Client")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (html_page(), ShapeChanged),
        (html_page(404), ShapeChanged),
        (empty_body(), ShapeChanged),
        (status(200, {"token": "x"}), ShapeChanged),
        (status(200, {"access_token": "two\nlines"}), ShapeChanged),
        (status(200, []), ShapeChanged),
        (status(400, {"error": "invalid_scope"}), AuthRefused),
        (status(403, b""), AuthRefused),
        (status(429, b""), Transient),
        (html_page(503), Transient),
        (redirect("https://example.com/"), ShapeChanged),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_a_strange_answer_to_a_login_means(halo, connect, fault, expected):
    client = connect(halo)
    halo.faults.add(fault, path="/auth/token", times=None)
    with pytest.raises(expected):
        client.rows("Client")
    assert halo.requests_to("/api/Client") == []
    halo.faults.clear()
    assert client.rows("Client")


def test_a_login_that_breaks_is_tried_once_more(halo, connect):
    halo.faults.add(reset(), path="/auth/token")
    assert connect(halo).rows("Client")


def test_an_early_renewal_that_fails_stops_nothing(halo, connect, time):
    client = connect(halo)
    client.rows("Client")
    time.passes(3550)
    client.rows("Client")
    halo.faults.add(status(503, b""), path="/auth/token", times=None)
    assert client.rows("Client")


def test_nothing_is_called_when_the_connector_is_made(halo):
    given = HaloPsaSettings(base_url=halo.base_url, client_id="a", client_secret="b")
    transport = Transport(Clock(), HaloPsa.traits.limits)
    client = HaloPsaClient(given, transport)
    assert client.moments.now().calls == 0
    assert halo.requests == []
    transport.close()
