"""Serve another library's environments with no code: one module an engine, imported when it is used."""
