"""The dialect ``openenv-gym.v1``: many sessions on one WebSocket, exactly once while the server lives.

The protocol's text is ``wire/README.md``. Of this package, the I/O on either side needs

- `codecs`: a subprotocol's name -> its codec,
- `client_machine` and `client_events`: a client's sessions at one server, over successive connections,
- `server_machine` and `server_effects`: a server's sessions, over all connections.

Neither machine knows sockets, clocks or asyncio: frames and the time go in, frames and events come out.
"""
