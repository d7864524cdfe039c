"""The certificate for loopback: who trusts it, and for which names."""

import ssl
import sys

import pytest

from pipeline import SettingError
from processors.local_live_api.certificate import NAMES, certificate


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A handshake without sockets."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    assert not sides


@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_the_authority_trusts_the_server(name: str) -> None:
    with certificate() as made:
        shake_hands(made.context, ssl.create_default_context(cafile=made.ca_file), name)


def test_others_do_not_and_it_is_for_no_other_name() -> None:
    with certificate() as made, certificate() as other:
        for trusted, name in ((other, "localhost"), (made, "example.org")):
            client = ssl.create_default_context(cafile=trusted.ca_file)
            with pytest.raises(ssl.SSLCertVerificationError):
                shake_hands(made.context, client, name)


def test_the_file_goes_when_it_is_left() -> None:
    with certificate() as made:
        assert made.ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert not made.ca_file.exists()


def test_without_trustme_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(SettingError, match="trustme") as raised, certificate():
        pass
    assert raised.value.setting == "tls"
    assert raised.value.hint == "pip install 'live-pipeline[simulate]'"
