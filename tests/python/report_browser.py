"""Headless Chromium that looks at pages of `eb_engine report`, and all that must hold for any of them."""
import contextlib
import copy
import os
import re
import shutil
import sys

import report_checks as checks
import report_plots as plots
from report_checks import expect

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


@contextlib.contextmanager
def chromium():
    program = shutil.which("chromium")
    if not program:
        skip("no chromium to look at the page with")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip("no playwright to drive chromium with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


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


RUN_CHECKS = [checks.headline_table, checks.layer_table, checks.window_table, checks.watched_table, checks.phase_tables, checks.heat_maps,
              lambda page, _, where: plots.epoch_axes(page, where), lambda page, _, where: plots.lines(page, where)]


def background(page):
    return page.evaluate("() => getComputedStyle(document.body).backgroundColor")


def check_page(browser, path, report):
    """All that must hold for the page of any report."""
    several = len(report["runs"]) > 1
    with Watched(browser, path) as page:
        checks.layout(page)
        open_all(page)
        checks.layout(page)
        for i, run in enumerate(report["runs"]):
            where = f"#run-{i + 1}" if several else "main"
            for check in RUN_CHECKS:
                check(page, run, where)
        if several:
            checks.comparison_table(page, report["comparison"])
            checks.draw_epoch_plot(page, report["comparison"])
            plots.cost_scatter(page, report["comparison"])
            plots.epoch_axes(page, "#comparison")
        expect(page.locator("script, iframe, object, embed, link, img[src^=http]").count() == 0, "the page has active content")
        light = background(page)
        page.emulate_media(color_scheme="dark")
        expect(background(page) != light, f"light and dark have the background {light}")
        checks.layout(page)
        page.emulate_media(color_scheme="light")
        expect(re.search(rb"/Type /Page\b", page.pdf()), "the page cannot be printed")


def check_accessible(browser, path):
    from axe_playwright_python.sync_playwright import Axe
    context = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    open_all(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = [f"{v['id']}: {v['nodes'][0]['html'][:100]} ({len(v['nodes'])} nodes)" for v in Axe().run(page).response["violations"]
                 if v["impact"] in ("serious", "critical")]
        expect(not found, f"axe, {scheme}: {found}")
    context.close()


def must_fail(what, check, *arguments):
    try:
        check(*arguments)
    except AssertionError:
        return
    raise AssertionError(f"{what} went unnoticed")


def check_mutations(browser, path, run):
    """The checks can fail: one mask bit, one accuracy, one layer. `run` has a ticket, drawn at the second of its ratios."""
    bit, accuracy, layer, group, kept, steps = (copy.deepcopy(run) for _ in range(6))
    one = bit["early_bird"]["ratios"][1]
    n = len(one["epochs"])
    for other in range(n):  # a bit of the mask that decided: one channel more or less from each other mask
        at = one["epochs"].index(one["emerged_epoch"])
        if other != at:
            one["differing"][at * n + other] += 1
            one["differing"][other * n + at] += 1
    accuracy["networks"][1]["top1_last"] += 0.0001
    layer["layers"].pop()
    group["layers"][0]["held_up"] = not group["layers"][0]["held_up"]
    kept["early_bird"]["ratios"][0]["kept"] += 1
    steps["phases"][1]["steps"] += 1
    with Watched(browser, path) as page:
        must_fail("a changed mask bit", checks.heat_maps, page, bit)
        must_fail("a changed mask bit in the detector's table", checks.window_table, page, bit)
        must_fail("a changed accuracy", checks.headline_table, page, accuracy)
        must_fail("a lost layer", checks.layer_table, page, layer)
        must_fail("a changed mark of a layer", checks.layer_table, page, group)
        must_fail("a changed count of channels", checks.watched_table, page, kept)
        must_fail("a changed count of steps", checks.phase_tables, page, steps)
        page.evaluate("() => { document.querySelector('svg:has(path.line) text[y=\"277\"]').textContent = '2.5' }")
        must_fail("half an epoch", plots.epoch_axes, page)


def check_comparison_mutations(browser, path, report):
    """Of several runs: one accuracy, one deviation, one row, one draw, the costs."""
    accuracy, spread, row, draws, cost, dearer = (copy.deepcopy(report["comparison"]) for _ in range(6))
    if draws["draw_epochs"]:
        draws["draw_epochs"]["curves"][0]["points"][1]["top1"]["mean"] += 0.002
    accuracy["rows"][-1]["top1"]["mean"] += 0.0001
    spread["rows"][0]["top1"]["std"] = (spread["rows"][0]["top1"]["std"] or 0) + 0.0001
    row["rows"].pop()
    key = cost["cost"]
    cost["rows"][0][key]["mean"] *= 0.99
    for one in dearer["rows"]:
        one[key]["mean"] *= 1000
    with Watched(browser, path) as page:
        must_fail("a changed mean accuracy", checks.comparison_table, page, accuracy)
        must_fail("a changed deviation", checks.comparison_table, page, spread)
        must_fail("a lost row", checks.comparison_table, page, row)
        must_fail("a changed cost", plots.cost_scatter, page, cost)
        must_fail("costs of another unit", plots.cost_scatter, page, dearer)
        if draws["draw_epochs"]:
            must_fail("a changed accuracy of a draw", checks.draw_epoch_plot, page, draws)
        page.evaluate("() => { document.querySelector('table.comparison').style.minWidth = '1100px' }")
        must_fail("a table that scrolls", checks.comparison_table, page, report["comparison"])
