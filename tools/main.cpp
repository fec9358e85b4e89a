// The binary: parses the command line, runs one subcommand, turns an Error into its text and exit code. The
// only place that catches.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <iostream>
#include <new>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "kernels/device_error.h"
#include "tools/cli/commands.h"

using namespace eb;

static std::vector<std::string> names(const CLI::App& app) {
  std::vector<std::string> list;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    list.push_back(sub->get_name());
  return list;
}

static std::string hint(const std::string& near) {
  return fmt::format("\n  hint: did you mean \"{}\"?", near);
}

// CLI11 has no "did you mean"; this finds the word it stumbled over.
static std::string suggestion(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word[0] == '-') {
      if (word.rfind("--", 0) != 0) continue;
      std::vector<std::string> flags;
      for (const CLI::Option* o : at->get_options())
        for (const auto& name : o->get_lnames()) flags.push_back(fmt::format("--{}", name));
      const std::string flag = word.substr(0, word.find('='));
      const std::string near = did_you_mean(flag, flags);
      if (!near.empty() && near != flag) return hint(near);
      continue;
    }
    const auto list = names(*at);
    if (list.empty()) continue;
    if (std::find(list.begin(), list.end(), word) != list.end()) {
      at = at->get_subcommand(word);
      continue;
    }
    const std::string near = did_you_mean(word, list);
    return near.empty() ? "" : hint(near);
  }
  return "";
}

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
  if (failed) throw Error(8001, "not all of the standard output could be written", "is its disk full?");
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
    const Error error = e.lost
                            ? Error(1002, std::string("the device is lost: ") + e.what(),
                                    "the last checkpoint is intact; --resume auto goes on from it once the "
                                    "card answers (nvidia-smi)")
                            : Error(1001, std::string("a kernel failed: ") + e.what(),
                                    "the last checkpoint is intact; the same command with EB_CUDA_SYNC=1 "
                                    "names the kernel that failed, please report it");
    return report(error.text(), error.exit_code());
  } catch (const std::system_error& e) {  // of fmt::print; the file layer throws Errors
    if (!std::ferror(stdout)) return bug(e);
    const Error error = engine::file_error("write", "standard output", e.code().value());
    return report(error.text(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return report("error[EB6001]: out of memory\n  hint: a smaller train.batch_size needs less", 6);
  } catch (const std::exception& e) {
    return bug(e);
  }
}

int main(int argc, char** argv) {
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of write(): the disk is full
  CLI::App app{
      "Early-Bird ticket training: search, draw, compact, train the small network to the end.\n\n"
      "  eb_engine train models/quickstart.json\n"
      "  eb_engine train models/vgg16.json --set early_bird.draw=0.7 --out runs/vgg16-p70\n"
      "  eb_engine eval runs/vgg16-p70 --json\n"};
  app.name("eb_engine");
  app.require_subcommand(1);
  std::function<int()> run;
  for (const auto& add : tools::commands()) add(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help
  } catch (const CLI::ParseError& e) {
    return report(
        fmt::format("error[EB2020]: {}{}\n  see: eb_engine --help", e.what(), suggestion(app, argc, argv)),
        2);
  }
  return exit_code_of(run);
}
