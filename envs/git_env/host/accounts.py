"""The host's one user: its password, its access tokens, and what an Authorization header proves."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from git_env.host.errors import BadRequestError, ForbiddenError, NotFoundError, UnauthorizedError

_CATEGORIES = (
    "activitypub",
    "admin",
    "issue",
    "misc",
    "notification",
    "organization",
    "package",
    "repository",
    "user",
)
_SCOPES = frozenset({"all", *(f"{level}:{each}" for level in ("read", "write") for each in _CATEGORIES)})
_WRONG = "invalid username, password or token"


@dataclass(frozen=True)
class Token:
    """An access token as it is listed: its secret is shown once and kept as a digest only."""

    id: int
    name: str
    last_eight: str
    scopes: tuple[str, ...]
    created_at: float


@dataclass(frozen=True)
class Identity:
    """Who makes a request.

    Attributes:
        username: The user.
        scopes: What a token allows; None when the password was given, which allows all.
    """

    username: str
    scopes: frozenset[str] | None = None

    def require(self, category: str, *, write: bool) -> None:
        """Check that the credentials cover a kind of request.

        Raises:
            ForbiddenError: They are a token without the scope.
        """
        enough = {"all", f"write:{category}"} | (set() if write else {f"read:{category}"})
        if self.scopes is not None and not enough & self.scopes:
            needed = f"{'write' if write else 'read'}:{category}"
            raise ForbiddenError(f"token does not have at least one of required scope(s): [{needed}]")


class Accounts:
    """Checks credentials without telling by time or text which part of them was wrong."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self._login = _digest(username.lower()), _digest(password)
        self._tokens: dict[bytes, Token] = {}
        self._last_id = 0

    def authenticate(self, authorization: str | None) -> Identity | None:
        """Return who an ``Authorization`` header names; None when there is no header.

        Raises:
            UnauthorizedError: It is malformed or wrong.
        """
        if authorization is None:
            return None
        scheme, _, value = authorization.partition(" ")
        match scheme.lower():
            case "basic":
                return self._from_basic(value.strip())
            case "token" | "bearer":
                return self._from_token(value.strip())
        raise UnauthorizedError(_WRONG)

    def _from_basic(self, value: str) -> Identity:
        try:
            username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise UnauthorizedError(_WRONG) from None
        right_user = hmac.compare_digest(_digest(username.lower()), self._login[0])
        right_password = hmac.compare_digest(_digest(password), self._login[1])
        if right_user and right_password:
            return Identity(self.username)
        # git users put a token in either place: https://TOKEN@host/ or as the password.
        return self._from_token(password if password and password != "x-oauth-basic" else username)

    def _from_token(self, secret: str) -> Identity:
        token = self._tokens.get(_digest(secret))
        if token is None:
            raise UnauthorizedError(_WRONG)
        return Identity(self.username, frozenset(token.scopes))

    def create_token(self, name: str, scopes: Iterable[str]) -> tuple[Token, str]:
        """Create a token and return it with its secret.

        Raises:
            BadRequestError: The name is empty or taken, or the scopes are unknown or missing.
        """
        wanted = tuple(dict.fromkeys(scopes))
        if not wanted:
            raise BadRequestError("access token must have a scope")
        if not _SCOPES.issuperset(wanted):
            raise BadRequestError("invalid access token scope provided")
        if not name.strip() or len(name) > 255:
            raise BadRequestError("access token name must be 1 to 255 characters")
        if any(token.name == name for token in self._tokens.values()):
            raise BadRequestError("access token name has been used already")
        secret = secrets.token_hex(20)
        self._last_id += 1
        token = Token(self._last_id, name, secret[-8:], wanted, time.time())
        self._tokens[_digest(secret)] = token
        return token, secret

    def tokens(self) -> list[Token]:
        """Return all tokens, oldest first."""
        return list(self._tokens.values())

    def delete_token(self, name_or_id: str) -> None:
        """Revoke a token.

        Raises:
            NotFoundError: There is none of this name or id.
        """
        for digest, token in self._tokens.items():
            if name_or_id in (token.name, str(token.id)):
                del self._tokens[digest]
                return
        raise NotFoundError


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
