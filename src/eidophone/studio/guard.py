"""What every request must pass: host, origin, token, size; and what every answer carries."""

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from eidophone.studio.settings import StudioSettings, is_loopback

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "eidophone-token"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_UPLOADS = ("/api/inputs", "/api/recipe")
#: No inline script or style, nothing from other hosts, no embedding in other pages.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}


class Refused(Exception):
    """A request that does not pass."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: App, settings: StudioSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            headers = _headers(scope)
            self._check_host(headers)
            self._check_origin(scope, headers)
            if self._signs_in(scope):
                await answer.sign_in(self._settings.token)
                return
            self._check_token(headers)
            await self._app(scope, self._limited(scope, headers, receive), answer.send)
        except Refused as refusal:
            await answer.refuse(refusal.status, refusal.message)

    def _check_host(self, headers: dict[str, str]) -> None:
        """A page of another site that points its name at this machine sends that name.

        Where a token is needed, the token protects instead: it is bound to the name it was given under.
        """
        name = _host_name(headers.get("host", ""))
        if not name:
            raise Refused(400, "The request names no host.")
        if self._settings.token:
            return
        if not is_loopback(name) and name != self._settings.host:
            raise Refused(
                403, "This host name is not the Studio's; open the address that the terminal shows."
            )

    def _check_origin(self, scope: Scope, headers: dict[str, str]) -> None:
        origin = headers.get("origin")
        if origin is not None and urlsplit_netloc(origin) != headers.get("host"):
            raise Refused(403, "Requests from other sites are refused.")
        # browsers say where a request comes from; other programs say nothing
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            page = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
            if not page or scope["method"] not in _SAFE:
                raise Refused(403, "Requests from other sites are refused.")

    def _signs_in(self, scope: Scope) -> bool:
        if not self._settings.token or scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return self._is_token(given)

    def _check_token(self, headers: dict[str, str]) -> None:
        if not self._settings.token:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is None or not self._is_token(cookie.value):
            raise Refused(401, "A token is needed; open the address that the terminal shows.")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._settings.token.encode())

    def _limited(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        limits = self._settings.limits
        most = limits.upload_bytes if scope["path"] in _UPLOADS else limits.json_bytes
        declared = headers.get("content-length", "0")
        too_large = Refused(413, f"The request is larger than {most:,} bytes; send less.")
        if not declared.isdecimal() or int(declared[:18]) > most:
            raise too_large
        size = 0

        async def _receive() -> MutableMapping[str, Any]:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise too_large
            return message

        return _receive


class _Answer:
    """Sends, with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self._send, self._began = send, False

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._began = True
            given = {name.lower() for name, _ in message.get("headers", [])}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
            if b"cache-control" not in given:
                more.append((b"cache-control", b"no-cache"))
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await self._send(message)

    async def refuse(self, status: int, sentence: str) -> None:
        if self._began:
            return
        body = json.dumps({"message": sentence}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 413:
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def sign_in(self, token: str) -> None:
        """Keeps the token in a cookie that no script reads, and takes it out of the address."""
        cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await self.send({"type": "http.response.start", "status": 303, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def urlsplit_netloc(address: str) -> str:
    """Host and port of an address; empty if it has none.

    >>> urlsplit_netloc("http://127.0.0.1:8765"), urlsplit_netloc("null")
    ('127.0.0.1:8765', '')
    """
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
