"""What runs inside a sandbox: the interpreter that agents' code shares, and the judge that only reads it.

Standard library only, except for `smolagents_executor`; no import from the rest of the package. The server
hands these modules over as text, so the sandbox's user needs no access to where they are installed.
"""
