// The terminal as `watch` uses it: a screen of its own, keys one at a time, and back to what it was whatever
// ends the program.
#pragma once
#include <signal.h>
#include <termios.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace eb::tools {

struct TerminalSize {
  int columns = 80, rows = 24;
};
TerminalSize terminal_size(int descriptor = 1);  // of stdout, as it is now

bool shows_unicode();     // by LC_ALL, LC_CTYPE, LANG
bool wants_color();       // NO_COLOR
bool stdout_is_screen();  // a terminal, and not a dumb one

// While it lives, SIGINT, SIGQUIT, SIGTERM, SIGHUP and SIGWINCH arrive in wait() and nowhere else.
class Waiter {
 public:
  enum class Event : uint8_t { time, quit, resize };
  Waiter();
  ~Waiter();
  Waiter(const Waiter&) = delete;
  // Until one of them comes, q, Ctrl-C or Ctrl-\ is pressed (keys: read stdin), or the time is over.
  Event wait(double seconds, bool keys);

 private:
  bool quit_pressed();
  bool input_open_ = true;
};

// While it lives, SIGTSTP is ignored, and if stdin is the terminal, no key makes a signal.
class Screen {
 public:
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  bool has_keys() const { return saved_.has_value(); }
  void show(const std::vector<std::string>& lines, bool clear);  // from the top; nothing flickers

 private:
  std::optional<termios> saved_;
  void (*on_stop_)(int) = SIG_DFL;
};

void write_to_terminal(const std::string& text);

}  // namespace eb::tools
