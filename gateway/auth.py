"""Who calls over HTTP: a bearer token, or the browser's cookie together with an allowed Origin (WIRE §1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from channels.arrival import Credential
from gateway.handshake import origin_allowed
from realtime.errors import Refusal
from realtime.settings import Settings

COOKIE = "tsudoi_session"


def credential(request: Request, settings: Settings) -> Credential:
    """What the request shows. Errors: `unauthenticated`, `forbidden` (a cookie from a foreign page)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return Credential(token=token.strip())
    cookie = request.cookies.get(COOKIE)
    if cookie:
        check_origin(request, settings)
        return Credential(token=cookie)
    raise Refusal("unauthenticated")


def reader(request: Request, settings: Settings) -> Credential:
    """As `credential`, for a GET that an element of our own page makes: browsers send no Origin with it, but say from where it
    comes, where the page is secure. The cookie is SameSite and comes with nothing of another site. Errors as there."""
    foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if (
        request.cookies.get(COOKIE)
        and "authorization" not in request.headers
        and "origin" not in request.headers
    ):
        if foreign:
            raise Refusal("forbidden", "This origin may not call with a cookie.")
        return Credential(token=request.cookies[COOKIE])
    return credential(request, settings)


def check_origin(request: Request, settings: Settings) -> None:
    """A request that carries a cookie, or could get one, must come from our own page. Errors: `forbidden`."""
    origins = request.headers.getlist("origin")
    if len(origins) != 1 or not origin_allowed(origins[0], request.headers.get("host", ""), settings):
        raise Refusal("forbidden", "This origin may not call with a cookie.")


def set_cookie(response: Response, token: str, settings: Settings) -> None:
    """Give the browser its session; scripts cannot read it."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.session_days * 86_400,
        httponly=True,
        samesite="strict",
        secure=settings.public_url.startswith("https://"),
    )
