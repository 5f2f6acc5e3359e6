"""The repetition watchdog measured: texts without end, sound texts, and what it makes of them."""
