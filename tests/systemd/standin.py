"""Runs on the booted machine: the stand-in of `syncd sandbox primevox`, with a door for further texts.

`standin.py PORT FIFO`: each line "NUMBER TEXT" that is written into the FIFO is a text that this number sends us.
"""

from __future__ import annotations

import os
import sys

from syncd.sandbox.serve import OUR_NUMBER, sample_primevox

port, fifo = int(sys.argv[1]), sys.argv[2]
os.mkfifo(fifo, 0o600)
with sample_primevox(port) as primevox:
    while True:
        with open(fifo, encoding="utf-8") as door:  # noqa: PTH123  ends when the last writer is gone
            for line in door:
                number, _, text = line.rstrip("\n").partition(" ")
                primevox.receive(OUR_NUMBER, number, text)
