"""A provider of OpenID Connect, played in this process: its documents, its keys, its tokens."""

import asyncio
import base64
import hashlib
import hmac
import time
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

__all__ = ["Provider", "provider"]


class Provider:
    """An issuer on a port of its own; what it answers can be changed while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = {"first": RSAKey.generate_key(2048, {"kid": "first"})}
        self.asked: list[str] = []
        self.down = False
        self.name: str | None = None
        """What it calls itself, if that is not its address."""
        self.codes: dict[str, dict] = {}
        """What it answers to a code: the claims of the ID token."""
        self.forms: list[dict[str, str]] = []

    def token(self, kid: str = "first", typ: str = "at+jwt", alg: str = "RS256", **claims) -> str:
        """Return a token; a claim that is None is left out."""
        now = int(time.time())
        known = {
            "iss": self.url, "aud": "pgqueue", "sub": "subject-1", "exp": now + 600, "iat": now,
            "email": "ada@example.com", "email_verified": True,
        }  # fmt: skip
        known = {k: v for k, v in (known | claims).items() if v is not None}
        return jwt.encode({"alg": alg, "kid": kid, "typ": typ}, known, self.keys[kid], [alg])

    def confused(self) -> str:
        """Return a token that is signed with the public key as if that were a shared secret."""
        # by hand: the library does not let a public key be a secret
        now = int(time.time())
        header = {"alg": "HS256", "kid": "first", "typ": "at+jwt"}
        claims = {"iss": self.url, "aud": "pgqueue", "sub": "subject-1", "exp": now + 600}
        signed = b".".join(_base64(orjson.dumps(part)) for part in (header, claims))
        secret = self.keys["first"].as_pem(private=False)
        mac = hmac.new(secret, signed, hashlib.sha256).digest()
        return (signed + b"." + _base64(mac)).decode()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        """Answer a request."""
        self.asked.append(path)
        match path:
            case "/.well-known/openid-configuration":
                return 200, {
                    "issuer": self.name or self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/jwks",
                }
            case "/jwks":
                return 200, KeySet([*self.keys.values()]).as_dict(private=False)
            case "/token" if method == "POST":
                form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
                self.forms.append(form)
                claims = self.codes.pop(form["code"], None)
                if claims is None:
                    return 400, {"error": "invalid_grant"}
                return 200, {"id_token": self.token(typ="JWT", aud="client", **claims)}
        return 404, {}


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@asynccontextmanager
async def provider():
    """Lend a provider that answers on this machine."""
    played = Provider()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.split("\r\n")
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                if played.down:
                    break
                status, found = played.answer(method, urlsplit(target).path, body)
                content = orjson.dumps(found)
                writer.write(
                    b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n" % (status, len(content))
                    + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    played.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield played
        server.close()
