"""The event files of a run, read by the real TensorBoard: every number is that of metrics.jsonl, also after a resume that
repeats steps, the heat maps are those of the masks, and a file that was cut off can be read."""
import glob
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from mask_file import read_masks
from PIL import Image
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STOPS = [(252, 253, 191), (254, 194, 135), (248, 132, 96), (211, 67, 110), (142, 41, 129), (77, 17, 120), (8, 8, 36)]


def train(binary, directory, *flags, expect):
    config = os.path.join(ROOT, "tests/data_files/tiny.json")
    command = [binary, "train", config, "--out", os.path.join(directory, "run"), "-q", "--threads", "1",
               "--set", "log.every=2", "--set", "log.tensorboard=true", "--set", "log.tensorboard_histograms=true", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == expect, (done.returncode, done.stderr)


def read(directory):
    everything = {"scalars": 0, "images": 0, "histograms": 0}
    return EventAccumulator(directory, size_guidance=everything).Reload()


def wanted_scalars(run):
    """{tag: {step: value}} from metrics.jsonl."""
    wanted = {}
    for line in open(os.path.join(run, "metrics.jsonl")):
        row = json.loads(line)
        for key, value in row.items():
            if "/" not in key or isinstance(value, (dict, type(None))):
                continue
            tag = key.replace("test/", "val/").replace("perf/data_wait_seconds", "perf/data_wait")
            wanted.setdefault(tag, {})[row["step"]] = np.float32(value)
    return wanted


def check_scalars(run):
    events = read(os.path.join(run, "tb"))
    wanted = wanted_scalars(run)
    assert set(events.Tags()["scalars"]) == set(wanted), (events.Tags()["scalars"], sorted(wanted))
    for tag in ["train/loss", "train/lr", "train/top1", "val/top1", "val/top5", "perf/images_per_s", "perf/data_wait",
                "mem/peak_gib", "eb/distance_p50", "eb/kept_p50", "eb/threshold_p50"]:
        assert tag in wanted, tag
    for tag, values in wanted.items():
        got = [(e.step, np.float32(e.value)) for e in events.Scalars(tag)]
        assert got == sorted(values.items()), (tag, got, sorted(values.items()))
    return events


def color(distance):
    at = math.sqrt(min(max(distance, 0.0), 1.0)) * 6
    low = min(int(at), 5)
    return [(1 - at + low) * a + (at - low) * b for a, b in zip(STOPS[low], STOPS[low + 1])]


def check_image(run, events, ratio):
    masks = read_masks(os.path.join(run, "masks", ratio + ".bits"))
    last = events.Images("eb/heatmap_" + ratio)[-1]
    picture = np.asarray(Image.open(io.BytesIO(last.encoded_image_string)).convert("RGB")).astype(float)
    assert picture.shape == (last.height, last.width, 3) and last.width >= 256, picture.shape
    n = len(masks)
    scale = last.width // n
    assert n > 2 and last.width == n * scale == last.height, (n, last.width)
    for i in range(n):
        for j in range(n):
            want = color(np.mean(masks[i] != masks[j]))
            cell = picture[i * scale:(i + 1) * scale, j * scale:(j + 1) * scale]
            assert np.abs(cell - want).max() <= 1, (i, j, cell[0, 0], want)


def check_histograms(run, events):
    newest = sorted(glob.glob(os.path.join(run, "ckpt/step-*")))[-1]
    weights = load_file(os.path.join(newest, "model.safetensors"))
    tags = events.Tags()["histograms"]
    assert len(tags) == 8, tags  # vgg11
    for tag in tags:
        assert tag.startswith("bn_gamma/"), tag
        gammas = weights[tag[len("bn_gamma/"):] + ".weight"]
        every = events.Histograms(tag)
        h = every[-1].histogram_value
        assert [e.step for e in every] == [3 * epoch for epoch in range(1, 9)]
        assert h.num == len(gammas) == sum(h.bucket), (tag, h, gammas)
        assert math.isclose(h.sum, float(gammas.astype(np.float64).sum()), rel_tol=1e-9), tag
        assert h.min == gammas.min() and h.max == gammas.max(), tag


def check_cut_off(run, directory):
    torn = os.path.join(directory, "torn")
    os.mkdir(torn)
    path = shutil.copy(sorted(glob.glob(os.path.join(run, "tb/*")))[-1], torn)
    count = len(read(torn).Scalars("train/loss"))
    os.truncate(path, os.path.getsize(path) - 5)  # the last record holds a number or a picture
    assert len(read(torn).Scalars("train/loss")) >= count - 1 > 1


def main(binary):
    with tempfile.TemporaryDirectory() as directory:
        run = os.path.join(directory, "run")
        train(binary, directory, "--max-steps", "10", expect=75)
        check_scalars(run)
        # From an older checkpoint: steps 7 to 10 are trained, and written, a second time.
        train(binary, directory, "--resume", os.path.join(run, "ckpt/step-00000006"), expect=0)
        events = check_scalars(run)
        assert len(glob.glob(os.path.join(run, "tb/*"))) == 2
        check_image(run, events, "p50")
        check_image(run, events, "p30")
        check_histograms(run, events)
        check_cut_off(run, directory)


main(sys.argv[1])
