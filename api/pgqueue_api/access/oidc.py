"""Users by the tokens of an issuer of OpenID Connect: access tokens, and signing in with a code.

An identity is the issuer's subject. It becomes that of a user by the address that the issuer has
verified, once: nobody is added, and an address that changes hands later opens nothing.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pgqueue.errors import UsageError
from pgqueue_api.access.issuer import Issuer
from pgqueue_api.problems import Unauthenticated

if TYPE_CHECKING:
    from pgqueue.database.pool import Pool, Row
    from pgqueue.settings import Settings

__all__ = ["Oidc"]

_ACCESS_TOKENS = ("at+jwt", "application/at+jwt")


class Oidc:
    """The issuer of the settings, and what it knows this server by.

    ``audience`` is what access tokens for this API name; ``client_id`` and ``client_secret`` are of
    the sign-in. ``access_claim`` is a claim that access tokens have and ID tokens have not.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        audience: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        access_claim: tuple[str, str] | None = None,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.client_id = client_id
        self._client_secret = client_secret
        self._access_claim = access_claim

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the issuer of the settings, if they name one."""
        if settings.oidc_issuer is None:
            return None
        secret = None
        if settings.oidc_client_secret_file is not None:
            try:
                secret = Path(settings.oidc_client_secret_file).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(
                    f"the secret of the OIDC client cannot be read: {error}",
                    hint="see PGQUEUE_OIDC_CLIENT_SECRET_FILE",
                ) from None
        name, _, value = (settings.oidc_access_claim or "").partition("=")
        return cls(
            Issuer(settings.oidc_issuer),
            audience=settings.oidc_audience,
            client_id=settings.oidc_client_id,
            client_secret=secret,
            access_claim=(name, value) if name else None,
        )

    async def user_of_token(self, token: str, pool: Pool) -> tuple[Row, float]:
        """Return the user of an access token, and until when it is valid, in seconds of the epoch.

        Raises:
            Unauthenticated: it is none of ours, or of nobody whom we know.
            IssuerUnavailable: its keys cannot be fetched.
        """
        if self.audience is None:
            raise Unauthenticated("access tokens are not taken", hint="set PGQUEUE_OIDC_AUDIENCE")
        claims = await self.issuer.claims(token, self.audience)
        if claims["header_typ"].lower() not in _ACCESS_TOKENS:
            name, value = self._access_claim or ("", "")
            if not name or str(claims.get(name)) != value:
                raise Unauthenticated("this is no access token", hint="do not send an ID token")
        return await self._user(claims, pool), float(claims["exp"])

    async def user_of_code(
        self, code: str, verifier: str, nonce: str, redirect_uri: str, pool: Pool
    ) -> Row:
        """Return the user who comes back with a code."""
        assert self.client_id is not None
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.client_id,
            "code_verifier": verifier,
        }
        if self._client_secret is not None:
            form["client_secret"] = self._client_secret
        answer = await self.issuer.post(await self.issuer.endpoint("token_endpoint"), form)
        claims = await self.issuer.claims(str(answer.get("id_token", "")), self.client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Unauthenticated("the issuer's answer is for another sign-in", hint="begin again")
        return await self._user(claims, pool)

    async def _user(self, claims: dict[str, Any], pool: Pool) -> Row:
        email = claims.get("email") if claims.get("email_verified") is True else None
        row = await pool.row(
            "find_identity",
            {
                "issuer": self.issuer.url,
                "subject": str(claims["sub"])[:255],
                "verified_email": email if isinstance(email, str) else None,
            },
        )
        if row is None:
            raise Unauthenticated(
                "you have no account here",
                hint="an admin adds one: `pgqueue users add --no-password` and your address",
            )
        return row
