"""The protocols, without I/O: messages, codecs, dialects and the sessions' state machines.

Nothing in this package knows asyncio, sockets or pydantic. A dialect turns messages into frames and back;
a session machine says which message is legal now and what follows from it.
"""
