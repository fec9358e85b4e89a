// The sentence that says what happened.
#include "pruning/found_by.h"
#include "tools/plot/html_text.h"
#include "tools/record/numbers.h"
#include "tools/report/page/page.h"

namespace eb::tools::page {

using pruning::FoundBy;

static std::string of_planned(const RunReport& run) {
  return run.epochs_planned ? " of " + count(run.epochs_planned) : "";
}

// A dense network that was not trained to the end is no rival, and the sentence must not make it one.
static std::string against_dense(const NetworkReport& dense) {
  const Number top1 = dense.top1_last;
  if (!top1) return "";
  const std::string note = dense.top1_note.value_or("");
  if (note.empty()) return " against " + percent(top1, 1) + " dense";
  return "; the dense network had " + percent(top1, 1) + " (" + shortened(note, 80) + ")";
}

// "22 % of the parameters, 0.76 of the training FLOPs, 83.9 % top-1 against 84.7 % dense"
static std::string what_it_cost(const RunReport& run) {
  static const NetworkReport none;
  const NetworkReport *found = ticket_of(run), &dense = dense_of(run), &ticket = found ? *found : none;
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (const Number s = share(ticket.params, dense.params)) add(percent(s, 0) + " of the parameters");
  if (const Number s = share(ticket.training_flops, dense.training_flops))
    add(decimal(s, 2) + " of the training FLOPs");
  if (const Number ours = ticket.top1_last) add(percent(ours, 1) + " top-1" + against_dense(dense));
  return out;
}

static std::string how_found(const RunReport& run, const engine::DrawRecord& draw) {
  const std::string by = draw.found_by.value_or("");
  const Number ratio = draw.ratio, epoch = draw_epoch(run);
  const std::string name = ratio ? "The p&nbsp;=&nbsp;" + brief(*ratio) + " ticket" : "The ticket";
  const std::string where = epoch ? " at " + at_epoch(*epoch) + of_planned(run) : "";
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

static std::string without_ticket(const RunReport& run) {
  const Number top1 = dense_of(run).top1_last;
  std::string out = run.early_bird ? "No ticket has been drawn in " : "A dense training of ";
  out += counted(static_cast<double>(run.epochs_done), "epoch") +
         (of_planned(run).empty() ? "" : "," + of_planned(run) + " planned");
  return out + (top1 ? ": " + percent(top1, 1) + " top-1" : "");
}

static std::string state_words(const RunReport& run) {
  const std::string done = counted(static_cast<double>(run.epochs_done), "epoch") + of_planned(run);
  if (run.state == RunState::Name::running) return " The run is still going: " + done + " done.";
  if (run.state == RunState::Name::stopped)
    return " The run was stopped after " + done + "; the same command goes on with it.";
  if (run.state == RunState::Name::failed) {
    const Count code = run.exit_code;
    if (!code)
      return " The run was interrupted after " + done + ": its process is gone; the same command goes on.";
    return " The run failed after " + done + ", exit code " + count(code) + ".";
  }
  return "";
}

std::string headline_sentence(const RunReport& run) {
  if (run.epochs_done <= 0 && run.epochs.empty())
    return "No epoch of this run is complete, so there is nothing to show yet." + state_words(run);
  if (!run.early_bird || !run.early_bird->draw) return without_ticket(run) + "." + state_words(run);
  const std::string cost = what_it_cost(run);
  return how_found(run, *run.early_bird->draw) + (cost.empty() ? "" : ": " + cost) + "." + state_words(run);
}

}  // namespace eb::tools::page
