"""The embedded git host's refusals, each with the HTTP status that Gitea gives it."""

from __future__ import annotations


class HostError(Exception):
    """A request that the host refuses; the message goes to the client, so it never holds a credential."""

    status = 500


class BadRequestError(HostError):
    """The request does not fit the route."""

    status = 400


class UnauthorizedError(HostError):
    """No credentials, or wrong ones."""

    status = 401


class ForbiddenError(HostError):
    """The credentials are right and do not allow this."""

    status = 403


class NotFoundError(HostError):
    """There is no such thing, or none that the caller may see."""

    status = 404

    def __init__(self, message: str = "The target couldn't be found.") -> None:
        super().__init__(message)


class ConflictError(HostError):
    """The name is taken."""

    status = 409


class TooLargeError(HostError):
    """A body, or an imported repository, is over its bound."""

    status = 413


class InvalidError(HostError):
    """A well-formed request asks for what cannot be done (Gitea's 422)."""

    status = 422


class BusyError(HostError):
    """Every git process slot stayed taken."""

    status = 503
