#!/usr/bin/env python3
"""Makes the pickles beside this file, as numpy itself writes them: python3 make.py (numpy 2.4)."""

import pickle
from pathlib import Path

import numpy as np

split = {
    "audio": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    "vision": np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
    "labels": np.array([[[-1.5]], [[2.0]]]),
    "id": np.array([[b"a", b"0.5", b"1"], [b"b", b"1", b"2"]]),
    "name": np.array(["eins", "zwei"], dtype=object),
    "raw_text": ["so, what", "Grüße"],
    "audio_lengths": [3, -2],
    "scale": np.float32(0.25),
    "none": None,
}
for protocol in range(2, 6):
    data = {"train": split, "valid": {**split, "audio": split["audio"][:1]}, "version": 2**40}
    path = Path(__file__).with_name(f"protocol{protocol}.pkl")
    path.write_bytes(pickle.dumps(data, protocol=protocol))
