"""Queries of the standard streams by their Windows handles, where descriptors do not suffice.

On other systems the functions return False or None.
"""

from __future__ import annotations

import sys

_MODIFIERS = (0x10, 0x11, 0x12, 0x14)  # VK_SHIFT, VK_CONTROL, VK_MENU, VK_CAPITAL


def is_console(descriptor: int) -> bool:
    """Return whether ``descriptor`` is a console; ``isatty`` is also true for NUL."""
    return console_mode(descriptor) is not None


def console_mode(descriptor: int) -> int | None:
    """Return the mode of the console ``descriptor``, None if it is not a console."""
    if sys.platform != "win32":
        return None
    import ctypes
    import msvcrt
    from ctypes.wintypes import DWORD, HANDLE

    handle, mode = HANDLE(msvcrt.get_osfhandle(descriptor)), DWORD()
    known = ctypes.WinDLL("kernel32").GetConsoleMode(handle, ctypes.byref(mode))
    return mode.value if known else None


def set_console_mode(descriptor: int, mode: int | None) -> bool:
    """Set the ``mode`` of the console ``descriptor``, and return whether that succeeded. Ignore None."""
    if sys.platform != "win32" or mode is None:
        return False
    import ctypes
    import msvcrt
    from ctypes.wintypes import HANDLE

    handle = HANDLE(msvcrt.get_osfhandle(descriptor))
    return bool(ctypes.WinDLL("kernel32").SetConsoleMode(handle, mode))


def wait_for_key() -> None:
    """Block until a key is pressed at the console of standard input; the key can still be read.

    Other console events before it are discarded.
    """
    if sys.platform != "win32":
        return
    import win32console
    import win32event

    console = win32console.GetStdHandle(win32console.STD_INPUT_HANDLE)
    while True:
        win32event.WaitForSingleObject(console, win32event.INFINITE)
        [event] = console.PeekConsoleInput(1)
        is_key = event.EventType == win32console.KEY_EVENT and event.KeyDown
        if is_key and event.VirtualKeyCode not in _MODIFIERS:
            console.Detach()  # otherwise the handle would be closed
            return
        console.ReadConsoleInput(1)


def same_object(one: int, other: int) -> bool:
    """Return whether two descriptors are the same open pipe or file, or both are a console."""
    if sys.platform != "win32":
        return False
    import ctypes
    import msvcrt
    from ctypes.wintypes import HANDLE

    handles = [HANDLE(msvcrt.get_osfhandle(descriptor)) for descriptor in (one, other)]
    return bool(ctypes.WinDLL("kernelbase").CompareObjectHandles(*handles)) or (
        is_console(one) and is_console(other)
    )
