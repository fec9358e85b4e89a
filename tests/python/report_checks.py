"""What must hold for any page made of a report.json, in a real browser. Each check raises AssertionError."""
import base64
import math

STOPS = [(252, 253, 191), (254, 194, 135), (248, 132, 96), (211, 67, 110), (142, 41, 129), (77, 17, 120), (8, 8, 36)]
NONE = "not measured"


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


# --- numbers as the page writes them, from the words of docs and not from its source ---

def grouped(n):
    return f"{math.floor(abs(n) + 0.5):,}"


def three_digits(n):
    return f"{n:.2f}" if n < 9.995 else f"{n:.1f}" if n < 99.95 else f"{n:.0f}"


def unit_step(n, base, most):
    step = 0
    while n / base**step >= base * 0.9995 and step < most:
        step += 1
    return step


def scaled(n, base, prefixes, unit, like):
    """In the unit that `like` has: a deviation reads as its mean does."""
    step = unit_step(n if like is None else like, base, len(prefixes) - 1)
    shown_n = n / base**step
    digits = grouped(shown_n) if (step == 0 and n == int(n)) or shown_n >= 999.5 else three_digits(shown_n)
    return f"{digits} {prefixes[step]}{unit}"


PREFIXES = ["", "k", "M", "G", "T", "P", "E"]


def metric(unit):
    return lambda n, like=None: scaled(n, 1000, PREFIXES, unit, like)


def size(n):
    return scaled(n, 1024, ["", "Ki", "Mi", "Gi", "Ti"], "B", None)


def duration(s, like=None):
    like = s if like is None else like
    if like < 59.95:
        return f"{three_digits(s)} s"
    s, minutes = math.floor(s + 0.5), math.floor(s + 0.5) // 60
    if math.floor(like + 0.5) < 3600:
        return f"{minutes} min {s % 60:02} s" if minutes else f"{s} s"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def percent(x):
    return f"{100 * x:.2f} %"


def energy(j):
    return f"{grouped(j)} J ({j / 3.6e6:.3g} kWh)"


ROWS = {"top1_last": percent, "top5_last": percent, "top1_best": percent, "params": grouped, "macs_per_image": metric("MACs"),
        "flops_per_image": metric("FLOPs"), "weight_bytes": size, "training_flops": metric("FLOPs"), "seconds": duration,
        "images_per_s": grouped, "peak_memory_bytes": size, "joules": energy}


def plain(text):
    return " ".join(text.split())


def shown(form, value):
    return NONE if value is None else form(value)


def rows_of(page, table):
    """Texts of the cells of each row of the body, of one table or several."""
    rows = page.evaluate("table => [...document.querySelectorAll(table + ' tbody tr')].map(tr => [...tr.cells].map(c => c.textContent))", table)
    return [[plain(cell) for cell in row] for row in rows]


# --- checks; `where` is the part of the page that shows the run: "#run-1" or "main" ---

def headline_table(page, run, where="main"):
    for key, form in ROWS.items():
        cells = page.locator(f"{where} table.headline tr[data-row={key}] .value").all_text_contents()
        expect(len(cells) == len(run["networks"]), f"{key}: {len(cells)} cells for {len(run['networks'])} networks")
        for cell, network in zip(cells, run["networks"]):
            wanted = shown(form, network[key])
            expect(plain(cell) == wanted, f"{key} of {network['label']}: the page says {plain(cell)!r}, report.json {wanted!r}")
    for kind in ("counted", "measured") if run["speedup"] else ():
        factor = run["speedup"][kind]
        cell = page.locator(f"{where} tr[data-row=speedup_{kind}] .value").nth(1).text_content()
        wanted = shown(lambda f: f"{f:.2f}×", factor)
        expect(plain(cell) == wanted, f"speed-up {kind}: the page says {cell!r}, report.json {wanted!r}")


def layer_table(page, run, where="main"):
    rows = rows_of(page, f"{where} table.layers")
    expect(len(rows) == len(run["layers"]), f"{len(rows)} rows for {len(run['layers'])} layers")
    for row, layer in zip(rows, run["layers"]):
        expect(row[2:4] == [grouped(layer["kept"]), grouped(layer["total"])], f"{layer['id']}: {row}")
        expect(row[5] == ("–" if layer["group"] is None else str(layer["group"])), f"group of {layer['id']}: {row}")
        expect(row[6] == ("held up" if layer["held_up"] else "–"), f"{layer['id']}: {row}")


# Columns of the comparison, left to right, behind its number, name and seeds.
COLUMNS = {"top1": percent, "top5": percent, "params": grouped, "flops_per_image": metric("FLOPs"), "training_flops": metric("FLOPs"),
           "seconds": duration, "step_speedup": lambda n: f"{n:.2f}×", "joules": metric("J"), "draw_epoch": lambda n: grouped(n) if n == int(n) else f"{n:.1f}"}


WITH_UNITS = ("flops_per_image", "training_flops", "seconds", "joules")


def mean_and_spread(key, stat):
    if stat is None:
        return "–" if key in ("draw_epoch", "step_speedup") else NONE  # a dense network is never drawn
    form, like = COLUMNS[key], [stat["mean"]] if key in WITH_UNITS else []
    return form(stat["mean"]) + ("" if stat["std"] is None else f"± {form(stat['std'], *like)}")


def comparison_table(page, comparison):
    rows = rows_of(page, "table.comparison")
    expect(len(rows) == len(comparison["rows"]), f"{len(rows)} rows for {len(comparison['rows'])} kinds of runs")
    with_energy = any(row["joules"] for row in comparison["rows"])
    for i, (row, wanted) in enumerate(zip(rows, comparison["rows"])):
        cells = [str(i + 1), wanted["label"], ", ".join(map(str, wanted["seeds"]))]
        cells += [mean_and_spread(key, wanted.get(key)) for key in COLUMNS if key != "joules" or with_energy]
        expect(row == cells, f"row {i + 1} of the comparison: the page says {row}, report.json {cells}")
    width, room = page.evaluate("() => { const t = document.querySelector('table.comparison'); return [t.scrollWidth, t.parentElement.clientWidth] }")
    expect(width <= room, f"at 1280 pixels the comparison is {width} wide and has room for {room}")


def draw_epoch_plot(page, comparison):
    """Each dot against the first and the last epoch, and the lowest and the highest accuracy, of all curves."""
    figure = page.locator("#comparison figure", has_text="Accuracy against the epoch of the draw")
    draws = comparison["draw_epochs"]
    expect(figure.count() == (draws is not None), f"{figure.count()} figures of the draws")
    if draws is None:
        return
    dots, wanted = [], []
    for i, curve in enumerate(draws["curves"]):
        found = figure.locator(f"circle.s{i % 8 + 1}").evaluate_all("dots => dots.map(d => [+d.getAttribute('cx'), +d.getAttribute('cy')])")
        expect(len(found) == len(curve["points"]), f"{curve['label']}: {len(found)} dots for {len(curve['points'])} points")
        dots += found
        wanted += [(point["epoch"], point["top1"]["mean"]) for point in curve["points"]]
    for axis, side in ((0, "epoch"), (1, "accuracy")):
        low, high = min(range(len(dots)), key=lambda i: wanted[i][axis]), max(range(len(dots)), key=lambda i: wanted[i][axis])
        scale = (dots[high][axis] - dots[low][axis]) / ((wanted[high][axis] - wanted[low][axis]) or 1)
        expect(scale > 0 if axis == 0 else scale <= 0, f"the {side} grows the wrong way")
        for dot, value in zip(dots, wanted):
            right = dots[low][axis] + scale * (value[axis] - wanted[low][axis])
            expect(abs(dot[axis] - right) < 0.3, f"{side} of the dot for {value}: {dot[axis]}, want {right}")
    dense = [f"dense, {percent(draws['dense']['mean'])}"] if draws["dense"] else []
    names = [plain(name) for name in figure.locator(".legend li").all_text_contents()]
    shown_names = [curve["label"] for curve in draws["curves"]] + dense
    expect(names == (shown_names if len(shown_names) > 1 else []), f"legend of the draws: {names}, want {shown_names}")


def window_table(page, run, where="main"):
    """The distances by which the ticket was drawn, of runs whose detector compares the newest mask with the others."""
    early_bird = run["early_bird"]
    drawn = early_bird and early_bird["draw"]
    ratio = next((r for r in early_bird["ratios"] if r["ratio"] == drawn["ratio"]), None) if drawn else None
    if not ratio or ratio["emerged_epoch"] is None:
        return
    n, at = len(ratio["epochs"]), ratio["epochs"].index(ratio["emerged_epoch"])
    differing = [ratio["differing"][at * n + j] for j in range(at - early_bird["window"] + 1, at)]
    wanted = [[grouped(d), f"{d / ratio['bits']:.4f}"] for d in differing]
    rows = [row[1:3] for row in rows_of(page, f"{where} table.check")]
    expect(rows == wanted, f"the window of the draw: the page says {rows}, report.json {wanted}")


def watched_table(page, run, where="main"):
    if not run["early_bird"]:
        return
    wanted = []
    for r in run["early_bird"]["ratios"]:
        last = r["window_distance"][-1]["distance"] if r["window_distance"] else None
        emerged = "not settled" if r["emerged_epoch"] is None else f"epoch {r['emerged_epoch']}"
        wanted.append([shown(grouped, r["kept"]), emerged, shown(lambda d: f"{d:.4f}", last)])
    rows = [row[1:] for row in rows_of(page, f"{where} table.watched")]
    expect(rows == wanted, f"the watched ratios: the page says {rows}, report.json {wanted}")


WORK = {"images_per_s": ("images per second", grouped), "steps": ("steps", grouped), "samples": ("images", grouped),
        "params": ("parameters", grouped), "flops_per_image": ("FLOPs per image", metric("FLOPs")), "precision": ("arithmetic", str)}
TIME = {"forward": "forward", "backward": "backward", "optimizer": "optimizer", "data_wait": "waiting for data", "early_bird": "masks",
        "evaluation": "evaluation", "checkpoint": "checkpoints", "other": "other"}


def phase_rows(phase):
    rows = {name: shown(form, phase[key]) for key, (name, form) in WORK.items()}
    rows.update({f"bytes of {of}": shown(size, n) for of, n in phase["bytes"].items()})
    rows.update({name: shown(duration, phase["seconds"][key]) for key, name in TIME.items()})
    known = [phase["seconds"][key] for key in TIME if phase["seconds"][key] is not None]
    return {**rows, "sum": shown(duration, sum(known) if known else None),
            "energy": shown(energy, phase["joules"]) + (phase["energy_method"] or "")}


def phase_tables(page, run, where="main"):
    rows = {row[0]: row[1:] for row in rows_of(page, f"{where} table.phases")}
    phases = [phase_rows(phase) for phase in run.get("phases", [])]
    wanted = {name: [phase[name] for phase in phases] for name in phases[0]} if phases else {}
    expect(rows == wanted, f"the phases: the page says {rows}, report.json {wanted}")


def color(distance):
    at = math.sqrt(min(max(distance, 0), 1)) * (len(STOPS) - 1)
    low = min(int(at), len(STOPS) - 2)
    return tuple(math.floor((1 - (at - low)) * a + (at - low) * b + 0.5) for a, b in zip(STOPS[low], STOPS[low + 1]))


PIXELS = """async ([source, cells]) => {
  const image = new Image(); image.src = source; await image.decode();
  const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, image.width, image.height).data;
  const at = ([x, y]) => [...data.subarray(4 * (y * image.width + x)).subarray(0, 3)];
  return [image.width, image.height, cells.map(at)];
}"""


def pixels(page, source, cells):
    """Size of a picture given as a data URI, and its colors at cells (x, y)."""
    width, height, colors = page.evaluate(PIXELS, [source, cells])
    return width, height, [tuple(c) for c in colors]


def wanted_color(ratio, x, y):
    return color(ratio["differing"][y * len(ratio["epochs"]) + x] / ratio["bits"])


def heat_maps(page, run, where="main"):
    """Each pixel of each picture against the distances of report.json, exactly."""
    ratios = [r for r in run["early_bird"]["ratios"] if r["epochs"]] if run["early_bird"] else []
    images = page.locator(f"{where} svg.map image.cells").all()
    expect(len(images) == len(ratios), f"{len(images)} heat maps for {len(ratios)} ratios")
    for image, ratio in zip(images, ratios):
        n = len(ratio["epochs"])
        cells = [(x, y) for y in range(n) for x in range(n)]
        width, height, colors = pixels(page, image.get_attribute("href"), cells)
        expect(width == height == n, f"{ratio['name']}: {width} x {height} pixels for {n} masks")
        for (x, y), seen in zip(cells, colors):
            wanted = wanted_color(ratio, x, y)
            expect(seen == wanted, f"{ratio['name']}, masks {y} and {x}: {seen}, want {wanted}")


def heat_maps_on_screen(page, run, where="main"):
    """What the screen shows in the middle of cells: sharp, in place and not covered."""
    for image, ratio in zip(page.locator(f"{where} svg.map image.cells").all(), run["early_bird"]["ratios"]):
        n = len(ratio["epochs"])
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        shot = "data:image/png;base64," + base64.b64encode(page.screenshot(clip=box)).decode()
        cells = [(0, 0), (0, n - 1), (n - 1, 0), (n // 2, 1), (2, n // 2)]
        middles = [[int(box["width"] * (x + 0.5) / n), int(box["height"] * (y + 0.5) / n)] for x, y in cells]
        for (x, y), seen in zip(cells, pixels(page, shot, middles)[2]):
            wanted = wanted_color(ratio, x, y)
            close = all(abs(a - b) <= 1 for a, b in zip(seen, wanted))
            expect(close, f"{ratio['name']}: the screen shows {seen} for masks {y} and {x}, want {wanted}")


LAYOUT = """() => {
  const width = document.documentElement.clientWidth, wrong = [];
  if (document.documentElement.scrollWidth > width) wrong.push('the page scrolls sideways: ' + document.documentElement.scrollWidth);
  for (const e of document.querySelectorAll('figure, figure > svg, table, .box')) {
    if (e.closest('details:not([open])')) continue;
    const b = e.getBoundingClientRect();
    if (b.width <= 0 || b.height <= 0) wrong.push('empty ' + e.outerHTML.slice(0, 80));
    if (!e.closest('table') && (b.left < 0 || b.right > width + 0.5)) wrong.push('outside the page: ' + e.outerHTML.slice(0, 80));
  }
  for (const svg of document.querySelectorAll('figure svg')) {
    if (svg.closest('details:not([open])')) continue;
    const outer = svg.closest('figure').getBoundingClientRect();
    for (const t of svg.querySelectorAll('text')) {
      const b = t.getBoundingClientRect();
      if (b.left < outer.left - 0.5 || b.right > outer.right + 0.5) wrong.push('text outside its figure: ' + t.textContent);
    }
  }
  return wrong;
}"""


def layout(page):
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        wrong = page.evaluate(LAYOUT)
        expect(not wrong, f"at {width} pixels: {wrong[:4]}")
    page.set_viewport_size({"width": 1280, "height": 900})
