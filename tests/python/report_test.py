"""The page of `eb_engine report` in headless Chromium: report_test.py EB_ENGINE. Known reports become pages by render_report,
which lies beside eb_engine."""
import copy
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import report_checks as checks
import report_fixture as fixture
from report_checks import expect

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def render(renderer, report, folder, name):
    source, page = folder / f"{name}.json", folder / f"{name}.html"
    source.write_text(json.dumps(report))
    subprocess.run([renderer, source, page], check=True)
    return page


class Watched:
    """A page that fails the test on any request but its own file, any console message and any dialog."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page, self.wrong = self.context.new_page(), []
        url = path.resolve().as_uri()
        self.page.on("request", lambda r: r.url == url or r.url.startswith("data:image/png;base64,") or self.wrong.append(f"request {r.url[:80]}"))
        self.page.on("console", lambda m: self.wrong.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.wrong.append(f"error: {e}"))
        self.page.on("dialog", lambda d: (self.wrong.append("a dialog opened"), d.dismiss()))
        self.page.goto(url)

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        self.context.close()
        expect(kind or not self.wrong, f"the page is not self-contained: {self.wrong[:4]}")


def open_all(page):
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")


def check_page(browser, path, report):
    """All that must hold for the page of any report."""
    several = len(report["runs"]) > 1
    with Watched(browser, path) as page:
        checks.layout(page)
        open_all(page)
        checks.layout(page)
        for i, run in enumerate(report["runs"]):
            where = f"#run-{i + 1}" if several else "main"
            checks.headline_table(page, run, where)
            checks.layer_table(page, run, where)
            checks.heat_maps(page, run, where)
        expect(page.locator("script, iframe, object, embed, link, img[src^=http]").count() == 0, "the page has active content")
    with Watched(browser, path) as page:
        expect(page.pdf().count(b"/Type /Page") >= 1, "the page cannot be printed")


def check_accessible(browser, path):
    from axe_playwright_python.sync_playwright import Axe
    for scheme in ("light", "dark"):
        context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(path.resolve().as_uri())
        open_all(page)
        found = [f"{v['id']}: {v['nodes'][0]['html'][:100]} ({len(v['nodes'])} nodes)" for v in Axe().run(page).response["violations"]
                 if v["impact"] in ("serious", "critical")]
        expect(not found, f"axe, {scheme}: {found}")
        context.close()


def check_colors_follow(browser, path):
    """Dark is dark: the page looks at prefers-color-scheme."""
    seen = []
    for scheme in ("light", "dark"):
        with Watched(browser, path, color_scheme=scheme) as page:
            seen.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    expect(seen[0] != seen[1], f"light and dark have the background {seen[0]}")


def must_fail(what, check, *arguments):
    try:
        check(*arguments)
    except AssertionError:
        return
    raise AssertionError(f"{what} went unnoticed")


def check_mutations(browser, path, run):
    """The checks can fail: one mask bit, one accuracy, one layer."""
    bit, accuracy, layer, group = (copy.deepcopy(run) for _ in range(4))
    one = bit["early_bird"]["ratios"][1]
    for other in range(1, len(one["epochs"])):  # a bit of the first mask: one channel more or less from each other mask
        one["differing"][other] += 1
    accuracy["networks"][1]["top1_last"] += 0.0001
    layer["layers"].pop()
    group["layers"][0]["held_up"] = not group["layers"][0]["held_up"]
    with Watched(browser, path) as page:
        must_fail("a changed mask bit", checks.heat_maps, page, bit)
        must_fail("a changed accuracy", checks.headline_table, page, accuracy)
        must_fail("a lost layer", checks.layer_table, page, layer)
        must_fail("a changed mark of a layer", checks.layer_table, page, group)


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


def check_why(browser, path, run):
    """What a newcomer needs to say why this epoch, in words: rule, threshold, window and the deciding distance."""
    ratio = next(r for r in run["early_bird"]["ratios"] if r["ratio"] == 0.5)
    n, at = len(ratio["epochs"]), ratio["emerged_epoch"] - 1
    distances = [ratio["differing"][at * n + j] / ratio["bits"] for j in range(at - 4, at)]
    with Watched(browser, path) as page:
        words = checks.plain(page.locator("#run-1-early-bird").text_content())
        for part in (f"Why epoch {fixture.DRAWN_AT}", "at most 0.1 (32 of 320 channels)", "a window of 5 masks", f"{max(distances):.4f}"):
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


def check_all(browser, renderer, folder):
    run = fixture.run()
    expect(run["early_bird"]["ratios"][1]["emerged_epoch"] == fixture.DRAWN_AT, f"the fixture emerges at {run['early_bird']['ratios'][1]['emerged_epoch']}")
    one = render(renderer, fixture.report(run), folder, "one")
    check_page(browser, one, fixture.report(run))
    with Watched(browser, one) as page:
        checks.heat_maps_on_screen(page, run)
    check_why(browser, one, run)
    check_colors_follow(browser, one)
    check_mutations(browser, one, run)
    several = render(renderer, fixture.several(), folder, "several")
    check_page(browser, several, fixture.several())
    check_attack(browser, render(renderer, fixture.attacked(), folder, "attacked"))
    small_pages(browser, renderer, folder)
    for path in (one, several):
        check_accessible(browser, path)


def main():
    renderer, chromium = pathlib.Path(sys.argv[1]).resolve().parent / "render_report", shutil.which("chromium")
    if not chromium:
        skip("no chromium to look at the page with")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip("no playwright to drive chromium with")
    expect(renderer.exists(), f"{renderer} is not built")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        check_all(browser, str(renderer), pathlib.Path(folder))
        browser.close()
    print("report page: fine")


if __name__ == "__main__":
    main()
