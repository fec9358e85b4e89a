// `eb_engine watch`: a run as it goes on, drawn into a terminal; elsewhere one line for each epoch.
#include <fmt/format.h>

#include <memory>

#include "engine/base/error.h"
#include "tools/cli/commands.h"
#include "tools/watch/progress.h"
#include "tools/watch/run_view.h"
#include "tools/watch/terminal.h"
#include "tools/watch/watch_frame.h"

namespace eb::tools {

struct WatchFlags {
  std::string run;
  double interval = 2;
  bool once = false;
};

static PlotStyle frame_style() {
  const TerminalSize size = terminal_size();
  // A character in the last column would make some terminals wrap.
  return {size.columns - 1, size.rows - 1, shows_unicode(), wants_color()};
}

static void print_frame(const RunView& view) {
  std::string text;
  for (const std::string& line : watch_frame(view, frame_style())) text += line + "\n";
  write_to_terminal(text);
}

static std::vector<std::string> live_frame(const RunView& view) {
  PlotStyle style = frame_style();
  auto lines = watch_frame(view, style);
  TextLine help(style.width, style.color);
  help.add("q quits; the run goes on", TextLine::dim);
  lines.push_back(help.padded());
  return lines;
}

// Draws until the run ends (true) or the user has seen enough.
static bool watch_live(RunReader& reader, double interval) {
  Waiter waiter;
  Screen screen;
  for (auto event = Waiter::Event::resize; event != Waiter::Event::quit;) {
    const RunView& view = reader.read();
    if (view.ended()) return true;
    screen.show(live_frame(view), event == Waiter::Event::resize);
    event = waiter.wait(interval, screen.has_keys());
  }
  return false;
}

static int watch_screen(RunReader& reader, const WatchFlags& f) {
  if (f.once || reader.read().ended() || watch_live(reader, f.interval)) print_frame(reader.read());
  return 0;
}

// Returns how many epochs are printed; a resumed run goes back to some that were.
static size_t print_new_epochs(const RunView& view, size_t printed) {
  std::string text;
  if (view.epochs.size() < printed) {
    printed = view.epochs.size();
    text += fmt::format("resumed after epoch {}\n", printed);
  }
  for (; printed < view.epochs.size(); ++printed) text += epoch_line(view.epochs[printed]) + "\n";
  write_to_terminal(text);
  return printed;
}

static int watch_lines(RunReader& reader, const WatchFlags& f) {
  Waiter waiter;
  size_t printed = 0;
  for (;;) {
    const RunView& view = reader.read();
    printed = print_new_epochs(view, printed);
    if (f.once || view.ended()) {
      std::string end = view.ending();
      if (view.damaged) end += "; " + damaged_text(view);
      write_to_terminal(end + "\n");
      return 0;
    }
    if (waiter.wait(f.interval, false) == Waiter::Event::quit) return 0;
  }
}

static int watch(const WatchFlags& f) {
  RunReader reader(f.run);
  return stdout_is_screen() ? watch_screen(reader, f) : watch_lines(reader, f);
}

Command watch_command() {
  const auto f = std::make_shared<WatchFlags>();
  return {
      .name = "watch",
      .doc = "Curves of a run in the terminal while it goes on; q quits",
      .flags = {Flag{"RUN", &f->run, "Run directory"}.must_be_given(),
                Flag{"--interval", &f->interval, "Seconds between two looks (default: 2)"}.range(0.1, 3600.0),
                Flag{"--once", &f->once, "Print what there is and end"}},
      .run = [f] { return watch(*f); },
  };
}

}  // namespace eb::tools
