// The binary: parses the command line, runs one subcommand, turns an Error into its text and exit code. The
// only place that catches.
#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <iostream>
#include <new>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "kernels/device_error.h"
#include "tools/cli/commands.h"
#include "tools/cli/device_error.h"
#include "tools/cli/parse.h"

using namespace eb;

static int report(const std::string& text, int code) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return code;
}

static int bug(const std::exception& e) {
  return report(fmt::format("error[EB1000]: a bug in eb_engine, please report it: {}", e.what()), 1);
}

// What was printed is a result too: a full disk behind `> FILE` must not look like success.
static void flush_stdout() {
  errno = 0;
  std::cout.flush();
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout;
  if (failed && errno) throw engine::file_error("write", "standard output", errno);
  if (failed)
    throw Error(errors::file_failed, "not all of the standard output could be written", "is its disk full?");
}

static int exit_code_of(const std::function<int()>& run) {
  try {
    engine::set_fault_from_environment();
    const int code = run();
    flush_stdout();
    return code;
  } catch (const Error& e) {
    return report(e.text(), e.exit_code());
  } catch (const kernels::DeviceError& e) {
    const Error error = tools::error_of(e);
    return report(error.text(), error.exit_code());
  } catch (const std::system_error& e) {  // of fmt::print; the file layer throws Errors
    if (!std::ferror(stdout)) return bug(e);
    const Error error = engine::file_error("write", "standard output", e.code().value());
    return report(error.text(), error.exit_code());
  } catch (const std::bad_alloc& e) {
    const Error error = tools::error_of(e);
    return report(error.text(), error.exit_code());
  } catch (const std::exception& e) {
    return bug(e);
  }
}

int main(int argc, char** argv) {
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of write(): the disk is full
  const tools::Command program = {
      .name = "eb_engine",
      .doc =
          "Early-Bird ticket training: search, draw, compact, train the small network to the end.\n\n"
          "  eb_engine train models/quickstart.json\n"
          "  eb_engine train models/vgg16.json --set early_bird.draw=0.7 --out runs/vgg16-p70\n"
          "  eb_engine eval runs/vgg16-p70 --json\n",
      .commands = tools::commands(),
      .version = tools::version_line(),
  };
  const tools::Parsed parsed = tools::parse(program, argc, argv);
  return parsed.run ? exit_code_of(parsed.run) : parsed.exit_code;
}
