"""TLS for a server on loopback: a certificate of its own, and whom clients have to trust."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline import SettingError

NAMES = ("127.0.0.1", "localhost", "::1")


class Certificate(NamedTuple):
    """context: for the server. ca_file: PEM of the authority that signed its certificate."""

    context: ssl.SSLContext
    ca_file: Path


@contextmanager
def certificate() -> Iterator[Certificate]:
    """A certificate for loopback; the file is there as long as this is entered.

    Raises SettingError where trustme, which makes it, is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise SettingError(
            "TLS needs a certificate, and trustme to make one",
            setting="tls",
            hint="pip install 'live-pipeline[simulate]'",
        ) from None
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    with TemporaryDirectory(prefix="local-live-api-") as folder:
        ca_file = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(ca_file)
        yield Certificate(context, ca_file)
