"""The page of `eb_engine report` in headless Chromium: report_test.py EB_ENGINE. Known reports become pages by render_report,
which lies beside eb_engine."""
import json
import pathlib
import subprocess
import sys
import tempfile

import report_checks as checks
import report_fixture as fixture
import report_plots as plots
from report_browser import (Watched, check_accessible, check_comparison_mutations, check_mutations, check_page, chromium, must_fail,
                            open_all)
from report_checks import expect


def render(renderer, report, folder, name):
    source, page = folder / f"{name}.json", folder / f"{name}.html"
    source.write_text(json.dumps(report))
    subprocess.run([renderer, source, page], check=True)
    return page


def check_attack(browser, path):
    """Markup in names is text, and nothing runs."""
    with Watched(browser, path) as page:
        open_all(page)
        expect(page.locator("main img").count() == 0, "a name became an element")
        expect(page.locator("[onerror]").count() == 0, "a name became an attribute")
        expect(page.locator("h1").text_content() == fixture.EVIL, "the name of the run is not shown as it is")
        ids = page.locator("table.layers tbody th").all_text_contents()
        expect(ids and all(i == fixture.EVIL for i in ids), "a layer's id is not shown as it is")
        checks.layout(page)


def look(browser, path):
    with Watched(browser, path) as page:
        open_all(page)


def check_watch(browser, path, folder):
    """The judge of the pages can fail: an image from elsewhere and an attribute that runs."""
    bad = folder / "bad.html"
    for markup in (fixture.EVIL[2:], '<p style="background: url(x.png)">', "<script>1</script>"):
        bad.write_text(path.read_text().replace("<h1>", "<h1>" + markup))
        must_fail(markup, look, browser, bad)


def check_why(browser, path, run):
    """What a newcomer needs to say why this epoch, in words: rule, threshold, window and the deciding distance."""
    ratio = next(r for r in run["early_bird"]["ratios"] if r["ratio"] == 0.5)
    n, at = len(ratio["epochs"]), ratio["emerged_epoch"] - 1
    distances = [ratio["differing"][at * n + j] / ratio["bits"] for j in range(at - 4, at)]
    with Watched(browser, path) as page:
        words = checks.plain(page.locator("#run-1-early-bird").text_content())
        for part in (f"Why epoch {fixture.DRAWN_AT}", f"The ticket was drawn by the detector at epoch {fixture.DRAWN_AT}.",
                     "at most 0.1 (32 of 320 channels)", "a window of 5 masks", f"{max(distances):.4f}"):
            expect(part in words, f"the explanation lacks {part!r}")
        shown = page.locator("table.check tbody td:nth-child(3)").all_text_contents()
        expect(shown == [f"{d:.4f}" for d in distances], f"distances of the window: {shown}, want {distances}")


def small_pages(browser, renderer, folder):
    """Runs that hold little give a page all the same."""
    empty = {"name": "nothing yet", "epochs_done": 0, "networks": [], "epochs": [], "early_bird": None, "layers": [], "speedup": None}
    half = fixture.run()
    half.update(state="running", epochs_done=1, layers=[], phases=[], equivalence=None, networks=half["networks"][:1], speedup=None)
    half["epochs"] = half["epochs"][:1]
    half["early_bird"].update(draw=None)
    for ratio in half["early_bird"]["ratios"]:
        ratio.update(emerged_epoch=None, epochs=[1], differing=[0], window_distance=[{"epoch": 1, "distance": None}])
    for name, run, words in (("empty", empty, "No epoch of this run is complete"), ("half", half, "The run is still going")):
        path = render(renderer, fixture.report(run), folder, name)
        check_page(browser, path, fixture.report(run))
        with Watched(browser, path) as page:
            expect(words in page.locator(".lead").text_content(), f"the page of the {name} run does not say so")


def long_page(browser, renderer, folder):
    """Thousands of epochs are a page as small as any, and its lines go from the first epoch to the last."""
    run, count = fixture.run(), 5000
    run["epochs"] = [{**run["epochs"][i % fixture.EPOCHS], "epoch": i + 1} for i in range(count)]
    run.update(epochs_done=count, epochs_planned=count)
    path = render(renderer, fixture.report(run), folder, "long")
    expect(path.stat().st_size < 300_000, f"the page of {count} epochs has {path.stat().st_size} bytes")
    check_page(browser, path, fixture.report(run))
    with Watched(browser, path) as page:
        for title in ("Top-1 accuracy", "Loss", "Training speed"):
            plots.whole_line(page, title, count)
        page.evaluate("() => { const l = [...document.querySelectorAll('path.line')].at(-1); l.setAttribute('d', l.getAttribute('d').repeat(40)) }")
        must_fail("a line of all epochs", plots.lines, page)


def check_all(browser, renderer, folder):
    run = fixture.run()
    expect(run["early_bird"]["ratios"][1]["emerged_epoch"] == fixture.DRAWN_AT, f"the fixture emerges at {run['early_bird']['ratios'][1]['emerged_epoch']}")
    one = render(renderer, fixture.report(run), folder, "one")
    check_page(browser, one, fixture.report(run))
    with Watched(browser, one) as page:
        checks.heat_maps_on_screen(page, run)
    check_watch(browser, one, folder)
    check_why(browser, one, run)
    check_mutations(browser, one, run)
    several = render(renderer, fixture.several(), folder, "several")
    check_page(browser, several, fixture.several())
    check_comparison_mutations(browser, several, fixture.several())
    check_attack(browser, render(renderer, fixture.attacked(), folder, "attacked"))
    small_pages(browser, renderer, folder)
    long_page(browser, renderer, folder)
    for path in (one, several):
        check_accessible(browser, path)


def main():
    renderer = pathlib.Path(sys.argv[1]).resolve().parent / "render_report"
    expect(renderer.exists(), f"{renderer} is not built")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        check_all(browser, str(renderer), pathlib.Path(folder))
    print("report page: fine")


if __name__ == "__main__":
    main()
