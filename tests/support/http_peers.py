"""For tests of the network: servers on loopback that send exactly what a test wants, and a guest's side."""

import datetime
import ipaddress
import json
import ssl
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.limits import Limits
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.network.connections import Tls
from codeact_bridges.network.resolver import Resolver
from codeact_bridges.network.rules import HostRule, HostRules
from codeact_bridges.network.spec import RuleSpec

Talk = Callable[[anyio.abc.ByteStream], Awaitable[None]]


def rule(host: str, **written: Any) -> HostRule:
    """A rule as the configuration would define it."""
    spec = RuleSpec(host=host, **written)
    return spec.rule(spec.headers)


def loopback(port: int, **written: Any) -> HostRule:
    return rule("127.0.0.1", **{"port": port, "private": True, **written})


@dataclass
class Seen:
    """One request that a server received."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes = b""


@dataclass
class Served:
    """A server on loopback."""

    port: int
    connections: int = 0
    requests: list[Seen] = field(default_factory=list[Seen])

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Served]:
    """A server that handles each connection with one call of `talk`."""
    tcp = await anyio.create_tcp_listener(local_host="127.0.0.1")
    served = Served(tcp.extra(anyio.abc.SocketAttribute.local_port))
    listener: anyio.abc.Listener[anyio.abc.ByteStream] = tcp if tls is None else TLSListener(tcp, tls, False)

    async def connected(stream: anyio.abc.ByteStream) -> None:
        served.connections += 1
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            async with stream:
                await talk(stream)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, connected)
        try:
            yield served
        finally:
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def answering(answer: Callable[[Seen], bytes], tls: ssl.SSLContext | None = None) -> AsyncGenerator[Served]:
    """A server that keeps connections alive and sends the bytes that `answer` returns for each request."""

    async def talk(stream: anyio.abc.ByteStream) -> None:
        while (seen := await read_request(stream)) is not None:
            served.requests.append(seen)
            await stream.send(answer(seen))

    async with serving(talk, tls) as served:
        yield served


@asynccontextmanager
async def sends_in_pieces(body: bytes, at: int) -> AsyncGenerator[Served]:
    """A server that sends the body in two chunks, split at `at`."""

    async def talk(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (body[:at], body[at:]):
            await stream.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await stream.send(b"0\r\n\r\n")

    async with serving(talk) as served:
        yield served


async def read_request(stream: anyio.abc.ByteStream) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            data += await stream.receive()
        except anyio.EndOfStream:
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive()
    return Seen(method, target, headers, body)


def http(body: bytes | str = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An ordinary response. Underscores in header names stand for hyphens."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(data)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + data


@dataclass
class Response:
    status: int
    url: str
    headers: dict[str, str]
    body: bytes
    pieces: int


@dataclass
class Guest:
    """Calls the bridge as a guest's runtime does."""

    opened: OpenBridge
    usage: Usage

    async def call(self, operation: str, **arguments: object) -> Any:
        return json.loads(await self.opened.handlers[operation](json.dumps(arguments)))

    async def request(self, method: str, url: str, **more: object) -> Response:
        answer = await self.call("network.request", method=method, url=url, **more)
        piece, body, pieces = answer, _bytes(answer), 1
        while piece["more"] is not None:
            piece = await self.call("network.read", id=piece["more"])
            body += _bytes(piece)
            pieces += 1
        headers = {name.lower(): value for name, value in answer["headers"]}
        return Response(answer["status"], answer["url"], headers, body, pieces)

    async def get(self, url: str, **more: object) -> Response:
        return await self.request("GET", url, **more)


def _bytes(piece: Mapping[str, str]) -> bytes:
    return piece["text"].encode() if "text" in piece else b64decode(piece["base64"])


@asynccontextmanager
async def opened(
    *rules: HostRule, resolver: Resolver | None = None, tls: Tls | None = None, **limits: Any
) -> AsyncGenerator[Guest]:
    """The network bridge, opened for one run."""
    usage = Usage()
    async with NetworkBridge(HostRules(rules), Limits(**limits), resolver=resolver, tls=tls).open(usage) as bridge:
        yield Guest(bridge, usage)


class Authority:
    """A certificate authority that exists for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's authority")])
        self.certificate = self._signed(self._name, self._key.public_key(), None, days=1)

    def trusting(self) -> Tls:
        """For the client: trusts only this authority."""
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Tls(lambda: ssl.create_default_context(cadata=pem))

    def serving(self, *names: str, folder: Path, days: int = 1) -> ssl.SSLContext:
        """For a server: a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._signed(subject, key.public_key(), names, days)
        path = folder / f"{names[0].replace('*', '_')}-{days}.pem"
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        path.write_bytes(
            key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate.public_bytes(encoding)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, names: Sequence[str] | None, days: int
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=3))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        else:
            usage = x509.KeyUsage(
                **dict.fromkeys(
                    (
                        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
                        *("key_agreement", "encipher_only", "decipher_only"),
                    ),
                    False,
                ),
                key_cert_sign=True,
                crl_sign=True,
            )
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(self._key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
