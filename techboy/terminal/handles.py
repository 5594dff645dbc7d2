"""What Windows knows of the standard streams, which their descriptors do not tell there.

Elsewhere nothing is known by handles.
"""

from __future__ import annotations

import sys


def is_console(descriptor: int) -> bool:
    """Tell whether ``descriptor`` is a console; ``isatty`` takes NUL for one."""
    return console_mode(descriptor) is not None


def console_mode(descriptor: int) -> int | None:
    """Return the mode of the console ``descriptor``, None if it is none."""
    if sys.platform != "win32":
        return None
    import ctypes
    import msvcrt
    from ctypes.wintypes import DWORD, HANDLE

    handle, mode = HANDLE(msvcrt.get_osfhandle(descriptor)), DWORD()
    known = ctypes.WinDLL("kernel32").GetConsoleMode(handle, ctypes.byref(mode))
    return mode.value if known else None


def set_console_mode(descriptor: int, mode: int | None) -> bool:
    """Give the console ``descriptor`` that ``mode``; return whether it takes it. None changes nothing."""
    if sys.platform != "win32" or mode is None:
        return False
    import ctypes
    import msvcrt
    from ctypes.wintypes import HANDLE

    handle = HANDLE(msvcrt.get_osfhandle(descriptor))
    return bool(ctypes.WinDLL("kernel32").SetConsoleMode(handle, mode))


def same_object(one: int, other: int) -> bool:
    """Tell whether two descriptors are one pipe or file, opened once, or both are a console."""
    if sys.platform != "win32":
        return False
    import ctypes
    import msvcrt
    from ctypes.wintypes import HANDLE

    handles = [HANDLE(msvcrt.get_osfhandle(descriptor)) for descriptor in (one, other)]
    return bool(ctypes.WinDLL("kernelbase").CompareObjectHandles(*handles)) or (
        is_console(one) and is_console(other)
    )
