"""Run stand-ins on their own, with sample data, until somebody interrupts: ``syncd sandbox``."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TextIO

from syncd.sandbox.autotask import AutotaskServer
from syncd.sandbox.connectwise import ConnectWiseServer
from syncd.sandbox.halopsa import HaloPsaServer
from syncd.sandbox.people import fictional_name, fictional_number
from syncd.sandbox.primevox import PrimeVoxServer
from syncd.sandbox.server import StandIn

OUR_NUMBER = fictional_number(0)
SAMPLE_TEXTS = ("#Go", "Hello, my laptop does not start", "#Stop", "Thank you!", "STOP")


def sample_primevox(port: int = 0) -> PrimeVoxServer:
    """Return a PrimeVOX stand-in (not started) with one number and a conversation for each sample text."""
    primevox = PrimeVoxServer(port=port)
    begin = primevox.clock() - timedelta(hours=1)
    for index, text in enumerate(SAMPLE_TEXTS):
        client, at = fictional_number(11 + index), begin + timedelta(minutes=5 * index)
        if index % 2:
            primevox.receive(OUR_NUMBER, client, text, at)
        else:
            primevox.send(OUR_NUMBER, client, "Reply #Go to get texts about your ticket, #Stop to end them.", at)
            primevox.receive(OUR_NUMBER, client, text, at + timedelta(minutes=1))
    return primevox


def sample_autotask(port: int = 0) -> AutotaskServer:
    """Return an Autotask stand-in (not started) with the people who text the PrimeVOX one."""
    autotask = AutotaskServer(port=port)
    companies = [
        autotask.add_company("Acme Dental", approval="Approved"),
        autotask.add_company("Birch Legal", approval="Opted-Out"),
        autotask.add_company("Cedar Farms"),
    ]
    for index in range(12):
        first, last = fictional_name(index)
        autotask.add_contact(companies[index // 4], first, last, mobile=fictional_number(11 + index))
    return autotask


def sample_connectwise(port: int = 0) -> ConnectWiseServer:
    """Return a ConnectWise stand-in (not started) with the people who text the PrimeVOX one."""
    connectwise = ConnectWiseServer(port=port)
    companies = [
        connectwise.add_company("Acme Dental", approval="Approved"),
        connectwise.add_company("Birch Legal", approval="Opted-Out"),
        connectwise.add_company("Cedar Farms"),
    ]
    for index in range(12):
        first, last = fictional_name(index)
        connectwise.add_contact(companies[index // 4], first, last, mobile=fictional_number(11 + index))
    return connectwise


def sample_halopsa(port: int = 0) -> HaloPsaServer:
    """Return a HaloPSA stand-in (not started) with the people who text the PrimeVOX one."""
    halopsa = HaloPsaServer(port=port)
    clients = [
        halopsa.add_client("Acme Dental", approval="Approved"),
        halopsa.add_client("Birch Legal", approval="Opted-Out"),
        halopsa.add_client("Cedar Farms"),
    ]
    for index in range(12):
        name = " ".join(fictional_name(index))
        halopsa.add_user(clients[index // 4], name, mobile=fictional_number(11 + index))
    return halopsa


STAND_INS: dict[str, Callable[[int], StandIn]] = {
    "primevox": sample_primevox,
    "autotask": sample_autotask,
    "connectwise": sample_connectwise,
    "halopsa": sample_halopsa,
}
"""Every stand-in that can be run on its own: a function from a port (0: any free one) to one with sample data."""


def described(stand_in: StandIn) -> list[tuple[str, str]]:
    """Return what somebody needs to call a started stand-in: settings with values, invented secrets included."""
    lines = [("base_url", stand_in.base_url)]
    if isinstance(stand_in, PrimeVoxServer):
        lines += [("container", "100200"), ("api_key", "sandbox-key+/="), ("number", OUR_NUMBER)]
    elif isinstance(stand_in, AutotaskServer):
        lines += [
            ("username", stand_in.username),
            ("secret", stand_in.secret),
            ("integration_code", stand_in.integration_code),
            ("zone look-up", stand_in.zone_url),
        ]
    elif isinstance(stand_in, ConnectWiseServer):
        lines += [
            ("api", stand_in.api_url),
            ("company", stand_in.company),
            ("public_key", stand_in.public_key),
            ("private_key", stand_in.private_key),
            ("client_id", stand_in.client_id),
        ]
    elif isinstance(stand_in, HaloPsaServer):
        lines += [
            ("tenant", stand_in.tenant),
            ("client_id", stand_in.client_id),
            ("client_secret", stand_in.client_secret),
        ]
    return lines


def serve(
    names: Sequence[str],
    *,
    ports: Mapping[str, int] | None = None,
    out: TextIO | None = None,
    until: threading.Event | None = None,
) -> int:
    """Run the named stand-ins until SIGINT, SIGTERM or ``until``; returns 0.

    ``ports`` maps a name to the port to use; others get a free one. Without names all are run. Raises
    ValueError for a name that is not in ``STAND_INS`` and OSError for a port that is taken.
    """
    wanted = list(names) or list(STAND_INS)
    if unknown := [name for name in wanted if name not in STAND_INS]:
        raise ValueError(f"there is no stand-in called {', '.join(unknown)}; known: {', '.join(STAND_INS)}")
    stream = out or sys.stdout
    done = until or threading.Event()
    with ExitStack() as running:
        running.enter_context(_interrupts(done))
        for name in wanted:
            stand_in = running.enter_context(STAND_INS[name]((ports or {}).get(name, 0)))
            stream.write(f"{name}\n" + "".join(f"  {key}: {value}\n" for key, value in described(stand_in)))
        stream.write("Interrupt (Ctrl-C) to stop.\n")
        stream.flush()
        done.wait()
    return 0


@contextlib.contextmanager
def _interrupts(done: threading.Event) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into the event; only the main thread may do so, others rely on the event."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_ignored: done.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
