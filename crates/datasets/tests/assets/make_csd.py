"""Makes the tiny copy of the layout of computational sequences in `csd`, which needs h5py: python make_csd.py

Nothing in it is of the corpora: names are as published, numbers are invented. One file is contiguous in old groups, as the SDK writes
them, one is compressed, one in the groups of newer versions of HDF5.
"""

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent / "csd"
VIDEOS = {"-3g5yACwYnA": 8.0, "_dI--eQ6qVU": 5.0}


def sequence(file, name, videos, library="earliest", **storage):
    HERE.mkdir(exist_ok=True)
    with h5py.File(HERE / file, "w", libver=(library, "latest")) as root:
        for video, (features, intervals) in videos.items():
            group = root.create_group(f"{name}/data/{video}")
            group.create_dataset("features", data=features, **storage)
            group.create_dataset("intervals", data=np.array(intervals, dtype="f8"), **storage)
        root.create_dataset(f"{name}/metadata/root name", data=np.array([name], dtype=object), dtype=h5py.string_dtype())


def steps(n_secs, rate, width):
    n = int(n_secs * rate)
    features = np.arange(n * width, dtype="f4").reshape(n, width)
    return features, [[step / rate, (step + 1) / rate] for step in range(n)]


sequence("CMU_MOSEI_COVAREP.csd", "COVAREP", {video: steps(secs, 10, 3) for video, secs in VIDEOS.items()})
faces = {video: steps(secs, 5, 2) for video, secs in VIDEOS.items() if video.startswith("-")}
sequence("CMU_MOSEI_VisualFacet42.csd", "FACET 4.2", faces, compression="gzip", shuffle=True, chunks=True)
words = {
    "-3g5yACwYnA": (np.array([[b"so"], [b"sp"], [b"good"], [b"bad"]]), [[0, 1], [1, 2], [2, 3], [5, 6]]),
    "_dI--eQ6qVU": (np.array([[b"hm"]]), [[0, 1]]),
}
sequence("CMU_MOSEI_TimestampedWords.csd", "words", words, library="latest")
# Sentiment, happy, sad, anger, surprise, disgust, fear.
labels = {
    "-3g5yACwYnA": (
        np.array([[1.5, 2, 0, 0, 0, 0, 0], [-1, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], dtype="f4"),
        [[0, 4], [4, 8], [9, 10]],
    ),
    "_dI--eQ6qVU": (np.array([[-3, 0, 0, 2, 0, 1, 0]], dtype=">f8"), [[0, 5]]),
}
sequence("CMU_MOSEI_Labels.csd", "All Labels", labels)
