"""The page in the browser: the daemon serves it itself, on loopback, behind a token.

A request passes `guard` before anything else looks at it; `site` says what a page may ask at all.
"""
