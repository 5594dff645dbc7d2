"""What Windows knows of the standard streams, which their descriptors do not tell there.

Elsewhere nothing is known by handles.
"""

from __future__ import annotations

import sys


def is_console(descriptor: int) -> bool:
    """Tell whether ``descriptor`` is a console; ``isatty`` takes NUL for one."""
    if sys.platform != "win32":
        return False
    import ctypes
    import msvcrt
    from ctypes.wintypes import DWORD, HANDLE

    handle = HANDLE(msvcrt.get_osfhandle(descriptor))
    return bool(ctypes.WinDLL("kernel32").GetConsoleMode(handle, ctypes.byref(DWORD())))


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
