"""The window: pywebview on the system's own web view, Qt on Linux. It is given the server's address and knows no more.

`surroundings` says whether a window can open here, `place` where it stood last, `words` what it says itself,
`window` is the window.
"""
