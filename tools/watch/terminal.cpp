#include "tools/watch/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace eb::tools {

TerminalSize terminal_size(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == -1 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

static std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool shows_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string locale(variable(name));
    if (locale.empty()) continue;
    for (char& c : locale) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return locale.ends_with("utf-8") || locale.ends_with("utf8");
  }
  return false;
}

bool wants_color() {
  return variable("NO_COLOR").empty();
}

bool stdout_is_screen() {
  const std::string_view term = variable("TERM");
  return ::isatty(STDOUT_FILENO) && !term.empty() && term != "dumb";
}

void write_to_terminal(const std::string& text) {
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) return;  // it is gone; SIGHUP says so too
    rest.remove_prefix(static_cast<size_t>(n));
  }
}

// --- waiting ---

static volatile sig_atomic_t quit_asked = 0, resized = 0;

static void on_signal(int signal) {
  (signal == SIGWINCH ? resized : quit_asked) = 1;
}

static constexpr int watched_signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH};

static sigset_t watched_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : watched_signals) sigaddset(&set, signal);
  return set;
}

// Blocked but for ppoll(): none can come between a look at the flags and the wait.
Waiter::Waiter() {
  quit_asked = 0;
  resized = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : watched_signals) ::sigaction(signal, &action, nullptr);
  const sigset_t set = watched_set();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

Waiter::~Waiter() {
  const sigset_t set = watched_set();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  for (const int signal : watched_signals) ::signal(signal, SIG_DFL);
}

Waiter::Event Waiter::wait(double seconds, bool keys) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  sigset_t none;
  sigemptyset(&none);
  for (;;) {
    const double left = std::max(0.0, std::chrono::duration<double>(end - Clock::now()).count());
    const timespec time{static_cast<time_t>(left), static_cast<long>((left - std::floor(left)) * 1e9)};
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::ppoll(&input, keys && input_open_ ? 1 : 0, &time, &none);
    if (quit_asked) return Event::quit;
    if (std::exchange(resized, 0)) return Event::resize;
    if (ready == 1 && quit_pressed()) return Event::quit;
    if (ready == 0) return Event::time;
  }
}

// Ctrl-C and Ctrl-\ arrive as bytes where Screen has taken their signals away.
static bool quits(char key) {
  constexpr char ctrl_c = 0x03, ctrl_backslash = 0x1c;
  return key == 'q' || key == 'Q' || key == ctrl_c || key == ctrl_backslash;
}

bool Waiter::quit_pressed() {
  char keys[64];
  const ssize_t n = ::read(STDIN_FILENO, keys, sizeof keys);
  if (n <= 0 && errno != EINTR) input_open_ = false;
  return std::any_of(keys, keys + std::max<ssize_t>(0, n), quits);
}

// --- the screen ---

// A key that stops or kills the program would leave the shell on this screen: Ctrl-Z is no key here, and
// where stdin is no terminal, so that it still makes a signal, the signal is ignored.
Screen::Screen() {
  on_stop_ = ::signal(SIGTSTP, SIG_IGN);
  termios now{};
  if (::isatty(STDIN_FILENO) && ::tcgetattr(STDIN_FILENO, &now) == 0) {
    saved_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  write_to_terminal("\x1b[?1049h\x1b[?25l");  // the other screen, no cursor
}

Screen::~Screen() {
  write_to_terminal("\x1b[0m\x1b[?25h\x1b[?1049l");
  if (saved_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*saved_);
  ::signal(SIGTSTP, on_stop_);
}

void Screen::show(const std::vector<std::string>& lines, bool clear) {
  std::string frame = clear ? "\x1b[2J\x1b[H" : "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) frame += (i ? "\r\n" : "") + lines[i] + "\x1b[K";
  write_to_terminal(frame + "\x1b[J");
}

}  // namespace eb::tools
