// Channels that survived, layer by layer.
#include "pruning/shortfall.h"
#include "tools/plot/html_text.h"
#include "tools/plot/svg_bars.h"
#include "tools/plot/svg_plot.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using Layers = std::vector<LayerReport>;

static std::vector<ShareBar> layer_bars(const Layers& layers) {
  std::vector<ShareBar> bars;
  for (const LayerReport& layer : layers) {
    const Number kept = layer.kept, total = layer.total;
    const std::string numbers = kept && total ? brief(*kept) + " of " + brief(*total) : "not measured";
    // A thousand tooltips would be a large part of the page, and their bars are too thin to point at.
    const std::string tooltip = layers.size() > 200 ? "" : shorten(layer.id, 80) + ": " + numbers;
    bars.push_back({layer.id, tooltip, share(kept, total).value_or(0), layer.held_up, layer.group});
  }
  return bars;
}

static std::string layer_row(const LayerReport& layer, size_t position) {
  return "<tr><td>" + count(static_cast<double>(position)) + "</td><th scope=\"row\">" +
         shortened(layer.id, 40) + "</th><td>" + count(layer.kept) + "</td><td>" + count(layer.total) +
         "</td><td>" + percent(share(layer.kept, layer.total), 1) + "</td><td>" +
         (layer.group ? count(layer.group) : "–") + "</td><td>" + (layer.held_up ? "held up" : "–") +
         "</td></tr>\n";
}

static std::string layer_table(const Layers& layers) {
  std::string rows;
  for (size_t i = 0; i < layers.size(); ++i) rows += layer_row(layers[i], i + 1);
  return table_box(
      "Channels that survived in each layer",
      "<table class=\"layers\"><thead><tr><th scope=\"col\">#</th><th scope=\"col\">Batch norm</th><th "
      "scope=\"col\">Kept</th><th scope=\"col\">Of</th><th scope=\"col\">Share</th><th scope=\"col\">Tied "
      "group</th><th scope=\"col\">Minimum</th></tr></thead><tbody>" +
          rows + "</tbody></table>",
      true);
}

static std::string explanation(const Layers& layers) {
  bool tied = false, held = false;
  for (const LayerReport& layer : layers) {
    tied = tied || layer.group;
    held = held || layer.held_up;
  }
  std::string out =
      "One bar for each batch norm, in the order of the network: the filled part is the share of its "
      "channels that the ticket keeps. All layers compete for the same number of channels, so a short bar "
      "is a layer that the network needs less.";
  if (tied) out += " A bracket joins layers whose outputs are added together: they keep the same channels.";
  if (held)
    out +=
        " A bar in the second colour was held up: <code>min_channels</code> or <code>round_to</code> kept "
        "more of it "
        "than the ranking would have.";
  return out;
}

static std::string bars_legend(const Layers& layers) {
  std::string out = legend_entry("block f1", "kept by the ranking");
  for (const LayerReport& layer : layers)
    if (layer.held_up) {
      out += legend_entry("block f3", "held up");
      break;
    }
  return "<ul class=\"legend\">" + out + legend_entry("block gone", "pruned") + "</ul>";
}

static std::string shortfall_note(const RunReport& run) {
  if (!run.early_bird || !run.early_bird->draw) return "";
  const std::string words = pruning::shortfall(*run.early_bird->draw);
  return words.empty() ? "" : "<p class=\"note\">In all, " + escape_html(words) + ".</p>";
}

std::string layers_section(const RunPage& page) {
  const Layers& layers = page.run.layers;
  if (layers.empty())
    return section(page, "channels", "Channels",
                   "<p class=\"empty\">No ticket has been drawn, so every channel is still there.</p>");
  const std::string bars =
      share_bars("Share of channels kept in each of " + counted(static_cast<double>(layers.size()), "layer"),
                 layer_bars(layers));
  return section(page, "channels", "Which channels survived",
                 shortfall_note(page.run) + "<div class=\"columns\">" +
                     figure("Kept share of each layer", bars_legend(layers) + bars, explanation(layers)) +
                     "<div>" + layer_table(layers) + "</div></div>");
}

}  // namespace eb::tools::page
