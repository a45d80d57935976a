"""What all tests need."""

import signal

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Shells start what runs in the background so; tests of Ctrl-C would test nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
