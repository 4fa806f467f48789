"""A certificate authority of one stack's own with certificates by it, and a key that signs tokens: for the listener that speaks TLS."""

import base64
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFE = timedelta(days=3650)
SIGNER = "local"
"""The name of the key in the headers of tokens."""


def make(folder: Path) -> None:
    """Writes, unless they are there, ca.pem (what a client trusts), server.pem and client.pem (a key and its certificate each),
    tokens.pem (the key that signs tokens) and jwks.json (by which the broker knows it)."""
    if (folder / "jwks.json").exists():
        return
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("local stack", ca_key, "local stack", ca_key, x509.BasicConstraints(ca=True, path_length=0))
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    for name, common, extension in (
        ("server", "127.0.0.1", x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])),
        ("client", "watcher", x509.BasicConstraints(ca=False, path_length=None)),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(common, key, "local stack", ca_key, extension)
        (folder / f"{name}.pem").write_bytes(_pem(key) + certificate.public_bytes(Encoding.PEM))
    tokens = rsa.generate_private_key(65537, 2048)
    (folder / "tokens.pem").write_bytes(_pem(tokens))
    (folder / "jwks.json").write_text(json.dumps({"keys": [_jwk(tokens.public_key().public_numbers())]}))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _jwk(key: rsa.RSAPublicNumbers) -> dict[str, str]:
    n, e = (base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode().rstrip("=") for number in (key.n, key.e))
    return {"kty": "RSA", "kid": SIGNER, "use": "sig", "alg": "RS256", "n": n, "e": e}


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
) -> x509.Certificate:
    since = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + LIFE)
        .add_extension(extension, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
