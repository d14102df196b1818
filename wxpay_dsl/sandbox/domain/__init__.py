"""What the service keeps of its merchants, as frozen records, and the rules by which one turns into the next.

Nothing here does I/O or reads a clock: each step takes the present as Unix time and gives a new record, or raises
Refusal with the service's own code.
"""
