"""Which servers syncd talks to over TLS: wrong certificates, private authorities, slow handshakes.

Every refusal comes before the request: the server decrypts not one byte of HTTP, so no credential has left.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr
from support import shell_for
from wire import QUIET, Wire, ok

from syncd import cli
from syncd.clock import Clock
from syncd.connector import Change, Connector
from syncd.errors import Ambiguous, SyncdError, Transient
from syncd.http import Client, Limits, Transport
from syncd.model import Consent, PhoneNumber
from syncd.primevox import Line, PrimeVox
from syncd.registry import find

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOST = "localhost"

Chain = tuple[bytes, bytes]  # certificates and the private key, as PEM


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This machine trusts the authority, as after `update-ca-certificates`."""
    path = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


# --- certificates ----------------------------------------------------------------------------------------


def issued(authority: trustme.CA, *names: str, **more: Any) -> Chain:
    leaf = authority.issue_cert(*names, **more)
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes()


def handmade(
    authority: trustme.CA | None, key: Any, usage: x509.ObjectIdentifier = x509.ExtendedKeyUsageOID.SERVER_AUTH
) -> Chain:
    """A certificate that trustme does not make: signed by itself, for another use, or with a weak key."""
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    issuer, signer = own, key
    if authority is not None:
        issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
        signer = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    made = (
        x509.CertificateBuilder(issuer, own, key.public_key(), x509.random_serial_number(), NOW - DAY, NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem, traditional = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return made.public_bytes(pem), key.private_bytes(pem, traditional, serialization.NoEncryption())


def strong() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# What is wrong with a certificate: how it is made, and what the operator must read.
WRONG: dict[str, tuple[Callable[[trustme.CA], Chain], str]] = {
    "of an unknown authority": (lambda _: issued(trustme.CA(), HOST), "authority of your own"),
    "signed by itself": (lambda _: handmade(None, strong()), "authority of your own"),
    "expired": (lambda ca: issued(ca, HOST, not_before=NOW - 9 * DAY, not_after=NOW - DAY), "expired; .* renewed"),
    "not valid yet": (
        lambda ca: issued(ca, HOST, not_before=NOW + DAY, not_after=NOW + 9 * DAY),
        "clock is right",
    ),
    "for another host": (lambda ca: issued(ca, "psa.example"), "issued for"),
    "for a whole domain, not for this host": (lambda ca: issued(ca, "*.localhost"), "issued for"),
    "for clients only": (
        lambda ca: handmade(ca, strong(), x509.ExtendedKeyUsageOID.CLIENT_AUTH),
        "purpose; have it replaced",
    ),
    "with a weak key": (lambda ca: handmade(ca, rsa.generate_private_key(65537, 1024)), "weak; have it replaced"),
}


def context(chain: Chain, folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with this certificate, however weak its key."""
    (folder / "chain.pem").write_bytes(chain[0])
    (folder / "key.pem").write_bytes(chain[1])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return made


def answering(line: socket.socket, _: int) -> None:
    line.sendall(ok())


def refused(client: Client) -> str:
    """What a read and a write say whose connection is refused: it may work later, and nothing was sent."""
    said = set()
    for call in (
        lambda: client.get("/x", {"auth": SecretStr(QUIET)}),
        lambda: client.write("PATCH", "/x", {"secret": QUIET}),
    ):
        with pytest.raises(Transient) as caught:
            call()
        assert not isinstance(caught.value, Ambiguous)
        assert QUIET not in "".join(traceback.format_exception(caught.value))
        said.add(str(caught.value).partition(": ")[2])
    assert len(said) == 1
    return said.pop()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_is_wrong_is_refused_before_anything_is_sent(
    wrong: str, authority: trustme.CA, tmp_path: Path
) -> None:
    make, advice = WRONG[wrong]
    with Wire(answering, context(make(authority), tmp_path)) as wire:
        said = refused(wire.client("https", headers={"Secret": QUIET}))
        assert wire.connections >= 2
        assert wire.requests == []
    assert said.startswith("the service's TLS certificate was refused: ")
    assert said.endswith("; nothing was sent")
    assert re.search(advice, said)


def test_old_protocols_are_refused_before_anything_is_sent(authority: trustme.CA, tmp_path: Path) -> None:
    server = context(issued(authority, HOST), tmp_path)
    server.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.minimum_version, server.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Wire(answering, server) as wire:
        assert "TLS 1.2 or newer" in refused(wire.client("https"))
        assert wire.requests == []


def test_a_right_certificate_of_a_private_authority_works(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire(answering, context(issued(authority, HOST), tmp_path)) as wire:
        client = wire.client("https", headers={"Secret": QUIET})
        assert client.get("/x").status == client.write("PATCH", "/x", {}).status == 200
        assert len(wire.requests) == 2
        assert wire.connections == 1
        # Taken out again: refused, by whoever starts now.
        monkeypatch.delenv("SSL_CERT_FILE")
        assert "authority of your own" in refused(wire.client("https"))
        assert len(wire.requests) == 2


def test_authorities_that_come_with_the_library_are_trusted_as_well(
    authority: trustme.CA, trusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that keeps none of its own: a container, or another place than OpenSSL was built for."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(trusted))
    with Wire(answering, context(issued(authority, HOST), tmp_path)) as wire:
        assert wire.client("https").get("/x").status == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_no_other_variable_changes_what_is_trusted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv(name, str(tmp_path / "other.pem"))
    with Wire(answering, context(issued(other, HOST), tmp_path)) as wire:
        refused(wire.client("https"))
        assert wire.requests == []


def test_a_handshake_that_drips_is_cut(authority: trustme.CA, tmp_path: Path) -> None:
    with Wire(answering) as wire:

        def drip(line: socket.socket) -> None:
            with contextlib.suppress(OSError):
                line.sendall(b"\x16\x03\x03\x3f\xff")  # "16 kB of handshake follow"
                while True:
                    line.sendall(b"\x02")
                    time.sleep(0.02)

        wire._serve = drip  # type: ignore[method-assign]
        began = time.monotonic()
        assert "no connection" in refused(wire.client("https", deadline=0.2))
        assert time.monotonic() - began < 1.5


# --- the services themselves -----------------------------------------------------------------------------

ACCOUNTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "autotask": lambda url: {
        "username": "a@example.com",
        "secret": SecretStr(QUIET),
        "integration_code": SecretStr(QUIET),
        "base_url": url,
    },
    "autotask, zone": lambda url: {
        "username": "a@example.com",
        "secret": SecretStr(QUIET),
        "integration_code": SecretStr(QUIET),
        "zone_discovery_url": url,
    },
    "connectwise": lambda url: {
        "site": url,
        "company": "acme",
        "public_key": SecretStr(QUIET),
        "private_key": SecretStr(QUIET),
        "client_id": SecretStr(QUIET),
    },
    "halopsa": lambda url: {"base_url": url, "client_id": "syncd", "client_secret": SecretStr(QUIET)},
    "rt": lambda url: {"base_url": url, "token": SecretStr(QUIET)},
}


def make(name: str, url: str) -> Connector:
    kind = find(name.partition(",")[0])
    return kind(kind.settings_model(**ACCOUNTS[name](url)), shell_for(kind))


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Wire]:
    """A server whose certificate nobody vouches for."""
    with Wire(answering, context(issued(trustme.CA(), HOST), tmp_path)) as wire:
        yield wire
        assert wire.connections > 0
        assert wire.requests == []


@pytest.mark.parametrize("name", ACCOUNTS)
def test_no_connector_tells_a_stranger_anything(name: str, stranger: Wire) -> None:
    psa = make(name, f"https://{HOST}:{stranger.port}")
    change = Change("7", "1", Consent.OPTED_OUT)
    for work in (lambda: list(psa.companies()), lambda: list(psa.contacts()), lambda: list(psa.write([change]))):
        with pytest.raises(SyncdError, match="TLS certificate was refused") as caught:
            work()
        assert isinstance(caught.value, Transient)
        assert not isinstance(caught.value, Ambiguous)
    assert "DOWN" in {finding.grade.name for finding in psa.check().findings}


def test_primevox_tells_a_stranger_nothing(stranger: Wire) -> None:
    vox = PrimeVox(Transport(Clock(), Limits(1000, 1.0, 8)), f"https://{HOST}:{stranger.port}", frozenset())
    with pytest.raises(Transient, match="TLS certificate was refused"):
        vox.listing(Line(PhoneNumber("+12025550100"), "100200", SecretStr(QUIET)))


def test_check_online_says_what_to_do(
    stranger: Wire, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCD_TEST_KEY", QUIET)
    (tmp_path / "companies.csv").write_text("id,name,sms_approval\n1,Acme,\n")
    (tmp_path / "contacts.csv").write_text("id,company_id,name,mobile,phone,active,sms_opt_in\n")
    line = {"id": "100200", "numbers": ["+1 202 555 0100"]}
    (tmp_path / "syncd.yaml").write_text(
        json.dumps(
            {
                "primevox": {
                    "base_url": f"https://{HOST}:{stranger.port}",
                    "api_key": "${env:SYNCD_TEST_KEY}",
                    "containers": [line],
                },
                "psa": {"connector": "local", "settings": {"path": str(tmp_path)}},
            }
        )
    )
    assert cli.main(["check", "--online", "-c", str(tmp_path / "syncd.yaml")]) == cli.UNAVAILABLE
    said = capsys.readouterr().out
    assert "authority of your own" in said
    assert QUIET not in said
