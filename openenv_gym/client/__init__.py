"""Clients of OpenEnv servers: asynchronous, synchronous, generic, and pools of sessions.

Import from the module that holds what you need; importing this package loads no network library.
"""
