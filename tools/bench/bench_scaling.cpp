#include "tools/bench/bench_scaling.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/each_sample.h"
#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/median.h"
#include "engine/base/text.h"
#include "tools/bench/comm_fit.h"

namespace eb::tools {

using namespace engine;
using nlohmann::json;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

namespace {

// What a process says that ends with another code than 0 is on stderr already.
struct Failed {
  int exit_code;
};

json self(const Words& words) {
  std::error_code ignored;
  std::string command = shell_word(std::filesystem::read_symlink("/proc/self/exe", ignored));
  for (const std::string& word : words) command += " " + shell_word(word);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw file_error("start", "sh", errno);
  std::string out;
  std::array<char, 4096> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), n);
  const int status = ::pclose(pipe);
  if (status != 0) throw Failed{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
  return json::parse(out);
}

struct Case {
  const char* scaling;
  int64_t ranks, threads, batch, shards;
};

Words step_words(const ScalingBench& b, const Case& c) {
  Words words = {"bench", "step"};
  for (const auto& file : b.common.files) words.push_back(file);
  const auto add = [&](const char* flag, const std::string& value) {
    words.insert(words.end(), {flag, value});
  };
  for (const std::string& set : b.common.sets) add("--set", set);
  if (b.common.seed) add("--seed", std::to_string(*b.common.seed));
  if (b.common.dtype) add("--dtype", *b.common.dtype);
  add("--set", fmt::format("distributed.shards={}", c.shards));
  add("--ranks", std::to_string(c.ranks));
  add("--threads", std::to_string(c.threads));
  add("--batch", std::to_string(c.batch));
  add("--steps", std::to_string(b.steps));
  add("--warmup", std::to_string(b.warmup));
  words.emplace_back("--json");
  return words;
}

// Of the sum of gradients, by the number of ranks.
std::map<int64_t, CommFit> fits_of(const std::vector<int64_t>& ranks) {
  std::map<int64_t, CommFit> fits = {{1, {}}};
  for (const int64_t r : ranks) {
    if (r == 1) continue;
    const json ours = self({"bench", "comm", "--ranks", std::to_string(r), "--max-mib", "16", "--seconds",
                            "0.2", "--json"})["ours"];
    fits[r] = {ours["alpha_us"].get<double>() / 1e6, ours["gb_s"].get<double>() * 1e9};
  }
  return fits;
}

std::vector<Case> cases_of(const ScalingBench& b, int64_t batch, int64_t shards) {
  std::vector<Case> cases;
  for (const int64_t r : b.ranks) cases.push_back({"weak", r, b.threads, batch * r, r});
  for (const int64_t r : b.ranks) cases.push_back({"strong", r, b.threads, batch, shards});
  for (const int64_t r : b.ranks)
    if (r > 1) cases.push_back({"threads", 1, b.threads * r, batch, 1});
  return cases;
}

// By round.
struct Measured {
  std::vector<double> step_ms, reduce_ms;
  double params = 0;
};

double median_ratio(const std::vector<double>& over, const std::vector<double>& under) {
  std::vector<double> ratios;
  for (size_t i = 0; i < over.size(); ++i) ratios.push_back(over[i] / under[i]);
  return median(ratios);
}

ordered_json row_of(const Case& c, const Measured& m, const Measured& one, const CommFit& fit) {
  const double step = median(m.step_ms), alone = median(one.step_ms);
  ordered_json row = {{"scaling", c.scaling},
                      {"ranks", c.ranks},
                      {"threads_per_rank", c.threads},
                      {"batch", c.batch},
                      {"shards", c.shards},
                      {"images_per_s", static_cast<double>(c.batch) / step * 1e3},
                      {"step_ms", step},
                      {"reduce_ms", median(m.reduce_ms)}};
  if (std::string(c.scaling) == "threads") return row;
  const bool weak = std::string(c.scaling) == "weak";
  const double comm = 1e3 * fit.seconds(wire_bytes(4 * m.params, static_cast<int>(c.ranks)));
  const double ideal = weak ? alone : alone / static_cast<double>(c.ranks);
  row["efficiency"] = median_ratio(one.step_ms, m.step_ms) / (weak ? 1. : static_cast<double>(c.ranks));
  row["predicted_efficiency"] = ideal / (ideal + comm);
  return row;
}

void print(const ordered_json& all) {
  std::cout << fmt::format("{} cores; a rank has {} thread(s); {} round(s) of {} steps\n",
                           all["cores"].get<int>(), all["threads_per_rank"].get<int>(),
                           all["rounds"].get<int>(), all["steps"].get<int>());
  if (all["more_ranks_than_cores"].get<bool>())
    std::cout << "more threads in all than cores: where that is so, nothing can scale\n";
  std::cout
      << "\n| scaling | ranks | threads each | batch | shards | images/s | step, ms | sum over ranks, ms | "
         "efficiency | predicted |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& r : all["rows"]) {
    const bool ranks = r.contains("efficiency");
    std::cout << fmt::format(
        "| {} | {} | {} | {} | {} | {:.1f} | {:.1f} | {:.1f} | {} | {} |\n", r["scaling"].get<std::string>(),
        r["ranks"].get<int>(), r["threads_per_rank"].get<int>(), r["batch"].get<int>(),
        r["shards"].get<int>(), r["images_per_s"].get<double>(), r["step_ms"].get<double>(),
        r["reduce_ms"].get<double>(), ranks ? fmt::format("{:.2f}", r["efficiency"].get<double>()) : "",
        ranks ? fmt::format("{:.2f}", r["predicted_efficiency"].get<double>()) : "");
  }
  for (const auto& [ranks, ratio] : all["against_threads"].items())
    std::cout << fmt::format(
        "{} ranks against one process with as many threads, same batch: {:.2f}x images/s\n", ranks,
        ratio.get<double>());
  std::cout << "The sum over ranks includes waiting for the slowest. Predicted: one rank's step"
               ", and the sum's time by `bench comm` here, nothing else.\n";
}

ordered_json measure(const ScalingBench& given) {
  ScalingBench b = given;
  std::ranges::sort(b.ranks);
  b.ranks.erase(std::unique(b.ranks.begin(), b.ranks.end()), b.ranks.end());
  if (b.ranks.front() != 1) b.ranks.insert(b.ranks.begin(), 1);  // what the others are compared with
  const Config config = load_experiment(b.common);
  const int64_t batch = b.batch ? b.batch : config.get<int64_t>("train.batch_size");
  const int64_t shards =
      config.is_null("distributed.shards") ? b.ranks.back() : config.get<int64_t>("distributed.shards");
  const auto fits = fits_of(b.ranks);
  const std::vector<Case> cases = cases_of(b, batch, shards);
  std::vector<Measured> measured(cases.size());
  for (int64_t round = 0; round < b.rounds; ++round)
    for (size_t i = 0; i < cases.size(); ++i) {
      const json r = self(step_words(b, cases[i]));
      measured[i].step_ms.push_back(r["step_ms"]);
      measured[i].reduce_ms.push_back(r.value("reduce_ms", 0.));
      measured[i].params = r["params"];
    }
  const int cores = data::available_cores();
  ordered_json all = {{"cores", cores},
                      {"threads_per_rank", b.threads},
                      {"more_ranks_than_cores", b.ranks.back() * b.threads > cores},
                      {"rounds", b.rounds},
                      {"steps", b.steps}};
  all["comm"] = ordered_json::object();
  for (const auto& [ranks, fit] : fits)
    if (ranks > 1)
      all["comm"][std::to_string(ranks)] = {{"alpha_us", fit.alpha * 1e6}, {"gb_s", fit.beta / 1e9}};
  all["rows"] = ordered_json::array();
  const size_t n = b.ranks.size();
  for (size_t i = 0; i < cases.size(); ++i)
    all["rows"].push_back(row_of(cases[i], measured[i], measured[i < n ? 0 : n], fits.at(cases[i].ranks)));
  all["against_threads"] = ordered_json::object();
  for (size_t i = 1; i < n; ++i)  // the cases of threads leave one rank out
    all["against_threads"][std::to_string(b.ranks[i])] =
        median_ratio(measured[2 * n + i - 1].step_ms, measured[n + i].step_ms);
  return all;
}

}  // namespace

int bench_scaling(const ScalingBench& bench) {
  if (bench.common.device != "cpu")
    throw Error(errors::bad_command_line, "bench scaling: ranks are timed on the CPU alone", "--device cpu");
  try {
    const ordered_json all = measure(bench);
    if (bench.json)
      std::cout << dump_json(all, 2) << "\n";
    else
      print(all);
    return 0;
  } catch (const Failed& failed) {
    return failed.exit_code;
  }
}

}  // namespace eb::tools
