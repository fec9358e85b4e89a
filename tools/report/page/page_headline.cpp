// The sentence that says what happened.
#include "pruning/found_by.h"
#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/record/run_status.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using nlohmann::json;
using pruning::FoundBy;

static std::string of_planned(const json& run) {
  const Number planned = number(run, "epochs_planned");
  return planned ? " of " + count(planned) : "";
}

// A dense network that was not trained to the end is no rival, and the sentence must not make it one.
static std::string against_dense(const json& dense) {
  const Number top1 = number(dense, "top1_last");
  if (!top1) return "";
  const std::string note = text(dense, "top1_note");
  if (note.empty()) return " against " + percent(top1, 1) + " dense";
  return "; the dense network had " + percent(top1, 1) + " (" + shortened(note, 80) + ")";
}

// "22 % of the parameters, 0.76 of the training FLOPs, 83.9 % top-1 against 84.7 % dense"
static std::string what_it_cost(const json& run) {
  const json &dense = dense_of(run), &ticket = ticket_of(run);
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (const Number s = share(number(ticket, "params"), number(dense, "params")))
    add(percent(s, 0) + " of the parameters");
  if (const Number s = share(number(ticket, "training_flops"), number(dense, "training_flops")))
    add(decimal(s, 2) + " of the training FLOPs");
  if (const Number ours = number(ticket, "top1_last"))
    add(percent(ours, 1) + " top-1" + against_dense(dense));
  return out;
}

static std::string how_found(const json& run, const json& draw) {
  const std::string by = text(draw, "found_by");
  const Number ratio = number(draw, "ratio"), epoch = number(draw, "epoch");
  const std::string name = ratio ? "The p&nbsp;=&nbsp;" + brief(*ratio) + " ticket" : "The ticket";
  const std::string where = epoch ? " at epoch " + count(epoch) + of_planned(run) : "";
  const auto known = by.empty() ? FoundBy::detector : engine::value_of<FoundBy>(by);
  if (!known) return name + " was drawn" + where + " (" + shortened(by) + ")";
  switch (*known) {
    case FoundBy::detector:
      return name + " was found" + where;
    case FoundBy::deadline:
      return name + " had not settled by the deadline and was drawn" + where;
    case FoundBy::draw_at:
      break;
  }
  return name + " was drawn" + where + ", an epoch fixed beforehand";
}

static std::string without_ticket(const json& run) {
  const json& eb = value(run, "early_bird");
  const Number top1 = number(dense_of(run), "top1_last");
  const Number done = number(run, "epochs_done");
  std::string out = eb.is_object() ? "No ticket has been drawn in " : "A dense training of ";
  out += counted(done.value_or(0), "epoch") +
         (of_planned(run).empty() ? "" : "," + of_planned(run) + " planned");
  return out + (top1 ? ": " + percent(top1, 1) + " top-1" : "");
}

static std::string state_words(const json& run) {
  const auto state = engine::value_of<RunState::Name>(text(run, "state"));
  const std::string done = counted(number(run, "epochs_done").value_or(0), "epoch") + of_planned(run);
  if (state == RunState::Name::running) return " The run is still going: " + done + " done.";
  if (state == RunState::Name::stopped)
    return " The run was stopped after " + done + "; the same command goes on with it.";
  if (state == RunState::Name::failed) {
    const Number code = number(run, "exit_code");
    return " The run failed after " + done + (code ? ", exit code " + count(code) : "") + ".";
  }
  return "";
}

std::string headline_sentence(const json& run) {
  if (number(run, "epochs_done").value_or(0) <= 0 && list(run, "epochs").empty())
    return "No epoch of this run is complete, so there is nothing to show yet." + state_words(run);
  const json& draw = value(value(run, "early_bird"), "draw");
  if (!draw.is_object()) return without_ticket(run) + "." + state_words(run);
  const std::string cost = what_it_cost(run);
  return how_found(run, draw) + (cost.empty() ? "" : ": " + cost) + "." + state_words(run);
}

}  // namespace eb::tools::page
