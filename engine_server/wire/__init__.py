"""What client and server of a remote session share: values, errors and objects as JSON, and the size of things.

values.py   kernel values and plain dataclasses <-> JSON, lossless
failures.py errors <-> JSON, raised again as the same classes
packing.py  bodies: JSON text, compressed above a size, expanded under a limit
protocol.py version, headers, limits
"""
