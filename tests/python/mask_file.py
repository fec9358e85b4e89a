"""The masks of a run, from RUN/masks/pNN.bits."""
import numpy as np


def read_masks(path):
    """(masks, bits) of 0 and 1."""
    data = open(path, "rb").read()
    assert data[:8] == b"EBMASKS1"
    bits = int.from_bytes(data[8:16], "little")
    words = (bits + 63) // 64
    rows = np.frombuffer(data[16:], np.uint8).reshape(-1, words * 8)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :bits].astype(int)


def flip(path, mask, bit):
    data = bytearray(open(path, "rb").read())
    words = (int.from_bytes(data[8:16], "little") + 63) // 64
    data[16 + mask * words * 8 + bit // 8] ^= 1 << bit % 8
    open(path, "wb").write(data)
