"""What must hold for the plots of any page made of a report.json, in a real browser. Each check raises AssertionError."""
from report_checks import PREFIXES, expect, plain, unit_step

# Of a plot: the names below its x axis, each with its place, the last of which is the axis's own.
BELOW = """svg => [...svg.querySelectorAll('text[text-anchor=middle]')].filter(t => !t.closest('g') && +t.getAttribute('y') > 256)
  .map(t => [t.textContent, +t.getAttribute('x')])"""
MOST_POINTS = 1000


def axis(plot):
    """Ticks (value, place) and the name of the x axis."""
    below = plot.evaluate(BELOW)
    return [(float(text), x) for text, x in below[:-1]], plain(below[-1][0])


def epoch_axes(page, where="main"):
    """Epochs are whole, except where an axis is shorter than one."""
    for plot in page.locator(f"{where} figure svg.wide", has_text="epoch").all():
        if not plot.locator("path.line").count():
            continue
        ticks, name = axis(plot)
        expect(name in ("epoch", "drawn after epoch"), f"an axis of a line plot is named {name!r}")
        fractions = [value for value, _ in ticks if value != int(value)]
        expect(not fractions or ticks[-1][0] - ticks[0][0] < 1, f"epochs {fractions}")


def lines(page, where="main"):
    """No line is longer than eyes are sharp, and none ends before its plot does."""
    for line in page.locator(f"{where} path.line").all():
        path = line.get_attribute("d")
        points = path.replace("L", "M").split("M")[1:]
        expect(len(points) <= MOST_POINTS, f"a line of {len(points)} points")


def whole_line(page, title, epochs):
    """A line without interruptions, in a plot over all epochs: from its left end to its right one."""
    figure = page.locator("figure", has=page.locator(".figure-title", has_text=title)).first
    places = [float(point.split()[0]) for point in figure.locator("path.line").first.get_attribute("d")[1:].split("L")]
    expect(places == sorted(places), f"{title}: the line goes back")
    expect((places[0], places[-1]) == (66, 546), f"{title}: {epochs} epochs are drawn from {places[0]} to {places[-1]}")


def cost_scatter(page, comparison):
    """The unit is that of the largest cost, and each point lies between the ticks where its cost does."""
    key, unit = ("joules", "J") if comparison["cost"] == "joules" else ("training_flops", "FLOPs")
    costs = [row[key]["mean"] for row in comparison["rows"] if row[key] and row["top1"]]
    plot = page.locator("#comparison figure", has_text="Accuracy against cost").locator("svg")
    expect(plot.count() == bool(costs), f"{plot.count()} scatter plots of {len(costs)} costs")
    if not costs:
        return
    step = unit_step(max(costs), 1000, len(PREFIXES) - 1)
    unit = PREFIXES[step] + unit
    ticks, name = axis(plot)
    wanted = f"energy in {unit}" if key == "joules" else f"training {unit}, search included"
    expect(name == wanted, f"the axis of the costs is named {name!r}, want {wanted!r}")
    places = plot.locator(".point circle").evaluate_all("points => points.map(p => +p.getAttribute('cx'))")
    expect(len(places) == len(costs), f"{len(places)} points for {len(costs)} costs")
    (low, left), (high, right) = ticks[0], ticks[-1]
    for place, cost in zip(places, costs):
        at = left + (right - left) * (cost / 1000**step - low) / (high - low)
        expect(abs(place - at) < 0.3, f"the point of {cost} is at {place}, want {at}")
