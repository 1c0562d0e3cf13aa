"""What runs inside a sandbox: the warm helper and the restrictions it puts on itself.

Standard library only, no import from the rest of the package: under bubblewrap this folder is all of
openenv-gym that the helper can see.
"""
