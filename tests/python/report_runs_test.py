"""Pages of real runs as the commands make them, in headless Chromium: report_runs_test.py EB_ENGINE. A run with a ticket, one
with markup wherever somebody else's text goes, several runs, and a comparison."""
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import report_checks as checks
from mask_file import flip, read_masks
from PIL import Image
from report_browser import (Watched, check_accessible, check_comparison_mutations, check_mutations, check_page, chromium, must_fail,
                            open_all)
from report_checks import expect

# Its masks settle when the learning rate falls, after epoch 4.
EXPERIMENT = [pathlib.Path(__file__).resolve().parents[1] / "data_files/tiny.json", "--set", "early_bird.threshold=0.11", "--threads", 1]
EVIL = '"><img src=x onerror=alert(1)>'


class Engine:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def __call__(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        expect(done.returncode == 0, f"{arguments}: exit {done.returncode}, {done.stderr}")

    def train(self, name, *settings):
        run = self.folder / name
        sets = [flag for setting in settings for flag in ("--set", setting)]
        self("train", *EXPERIMENT, "--out", run, "-q", *sets)
        return run

    def report(self, name, *runs):
        page = self.folder / f"{name}.html"
        self("report", *runs, "-o", page)
        return page, json.loads(page.with_suffix(".json").read_text())


def evil_images(root):
    """Three classes, one of which has markup for a name, and two of whose files are no images."""
    dots = random.Random(5)
    for split in ("train", "test"):
        for name in (EVIL, "b", "c"):
            (root / split / name).mkdir(parents=True)
            for i in range(8):
                Image.frombytes("RGB", (32, 32), dots.randbytes(3072)).save(root / split / name / f"{i}.png")
    (root / "train" / EVIL / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


def evil_run(engine):
    """`train` refuses such a name for a run, but whoever gives away a run may write it into the files."""
    root = evil_images(engine.folder / "data" / EVIL)
    run = engine.train(EVIL, "data.kind=image_folder", f"data.root={json.dumps(str(root))}", "model.num_classes=3", "data.on_bad_sample=skip",
                       "train.batch_size=8", "train.eval_batch_size=8")
    path = run / "config.resolved.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": EVIL}))
    return run


def check_distances(folder, run):
    """report.json against the masks themselves."""
    for ratio in run["early_bird"]["ratios"]:
        masks = read_masks(folder / "masks" / f"{ratio['name']}.bits")
        expect(masks.shape == (len(ratio["epochs"]), ratio["bits"]), f"{ratio['name']}: {masks.shape} masks")
        wanted = [int((a != b).sum()) for a in masks for b in masks]
        expect(ratio["differing"] == wanted, f"{ratio['name']}: {ratio['differing']}, the masks say {wanted}")


def check_one(browser, engine, run):
    page, report = engine.report("one", run)
    draw = report["runs"][0]["early_bird"]["draw"]
    expect(draw and draw["ratio"] == 0.5 and draw["found_by"] == "detector", f"the detector found no ticket of 0.5: {draw}")
    check_page(browser, page, report)
    check_distances(run, report["runs"][0])
    with Watched(browser, page) as shown:
        checks.heat_maps_on_screen(shown, report["runs"][0])
    check_mutations(browser, page, report["runs"][0])
    by_training = json.loads((run / "report/report.json").read_text())
    expect(by_training["runs"] == report["runs"], "the report that the training left is another one")
    return report


def check_changed_bit(browser, engine, run, report):
    """One bit of the run's own file: the page changes, and the numbers of before no longer fit."""
    changed = engine.folder / "changed"
    shutil.copytree(run, changed)
    ratio = report["runs"][0]["early_bird"]["ratios"][1]
    flip(changed / "masks/p50.bits", ratio["epochs"].index(ratio["emerged_epoch"]), 77)
    page, after = engine.report("after", changed)
    check_distances(changed, after["runs"][0])
    must_fail("a changed mask bit in report.json", check_distances, run, after["runs"][0])
    with Watched(browser, page) as shown:
        checks.heat_maps(shown, after["runs"][0])
        checks.window_table(shown, after["runs"][0])
        must_fail("a changed mask bit", checks.heat_maps, shown, report["runs"][0])
        must_fail("a changed mask bit in the detector's table", checks.window_table, shown, report["runs"][0])


def check_evil(browser, engine, run):
    page, report = engine.report("evil", run)
    check_page(browser, page, report)
    expect(report["runs"][0]["bad_samples"], "the broken image was not met")
    with Watched(browser, page) as shown:
        open_all(shown)
        expect(shown.locator("main img, [onerror]").count() == 0, "a name became markup")
        expect(shown.locator("h1").text_content() == EVIL, "the name of the run is not shown as it is")
        expect(shown.title().startswith(EVIL), f"the title is {shown.title()!r}")
        words = shown.locator("#run-1-background").text_content()
        for text in (str(run), f"{EVIL}/broken.png", f"data/{EVIL}"):
            expect(text in words.replace('\\"', '"'), f"{text} is not shown: {words[:2000]}")
    check_accessible(browser, page)


def check_several(browser, engine, runs):
    page, report = engine.report("several", *runs)
    rows = report["comparison"]["rows"]
    expect([row["runs"] for row in rows] == [[0, 1], [2]], f"rows of the comparison: {rows}")
    expect(rows[0]["top1"]["std"] is not None, "two seeds have no deviation")
    check_page(browser, page, report)
    check_comparison_mutations(browser, page, report)


def check_compare(browser, engine):
    out = engine.folder / "compare"
    engine("compare", *EXPERIMENT, "--out", out, "--variants", "dense,eb", "--ratios", "0.5")
    page, report = out / "report.html", json.loads((out / "report.json").read_text())
    expect([row["label"] for row in report["comparison"]["rows"]] == ["dense", "eb p=0.5"], f"{report['comparison']['rows']}")
    check_page(browser, page, report)
    check_comparison_mutations(browser, page, report)
    check_accessible(browser, page)


def main():
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        engine = Engine(sys.argv[1], pathlib.Path(folder))
        first, second, evil = engine.train("first"), engine.train("second", "seed=2"), evil_run(engine)
        report = check_one(browser, engine, first)
        check_changed_bit(browser, engine, first, report)
        check_evil(browser, engine, evil)
        check_several(browser, engine, [first, second, evil])
        check_compare(browser, engine)
    print("pages of runs: fine")


if __name__ == "__main__":
    main()
