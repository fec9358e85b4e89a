#include "tools/bench/bench_kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "engine/base/error_codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/tensor/dtype_names.h"
#include "kernels/memory.h"
#include "tools/bench/bench_buffer.h"
#include "tools/bench/bench_cases.h"
#include "tools/bench/bench_clock.h"
#include "tools/bench/call_time.h"
#include "tools/experiment/experiment.h"

namespace eb::tools {

using kernels::Device;
using kernels::DType;

namespace {

CallClock clock_of(const KernelBench& f, Device device) {
  return {.device = device, .seconds = f.seconds, .cpu_time = f.cpu_time};
}

CallTimes times_of(const BenchCase& c, const CallClock& clock) {
  return c.reference ? time_calls(clock, c.run, c.reference) : CallTimes{.ours = time_call(clock, c.run)};
}

struct Ceilings {
  double bytes_per_s = 0, flops_per_s = 0;
};

// Copy of 1 GiB (reads and writes counted), and a 1x1 convolution that is a square matrix product.
Ceilings measure_ceilings(const KernelBench& f, Device device) {
  const size_t bytes = device == Device::cuda ? size_t{1} << 30 : size_t{1} << 27;
  const BenchBuffer from(device, bytes), to(device, bytes);
  Ceilings c;
  const auto copy = [&] {
    if (device == Device::cpu)  // memcpy is one thread
      kernels::elementwise(device).cast(static_cast<int64_t>(bytes / 4), DType::f32, from.get(), DType::f32,
                                        to.get());
    else
      kernels::memory(device).copy(to.get(), from.get(), bytes);
  };
  c.bytes_per_s = 2.0 * static_cast<double>(bytes) / time_call(clock_of(f, device), copy).seconds;
  const int64_t n = device == Device::cuda ? 8192 : 1024;
  const BenchCase product = matrix_product_case(device, f.cases.dtype, n);
  const CallTimes times = times_of(product, clock_of(f, device));
  const bool both = product.reference && times.failure.empty();
  c.flops_per_s =
      product.flops / (both ? std::min(times.ours.seconds, times.theirs.seconds) : times.ours.seconds);
  return c;
}

std::optional<Ceilings> given_ceilings(const std::string& text) {
  if (text == "none") return {};
  const size_t comma = text.find(',');
  return Ceilings{.bytes_per_s = std::stod(text.substr(0, comma)) * 1e9,
                  .flops_per_s = std::stod(text.substr(comma + 1)) * 1e12};
}

nlohmann::json measure(const KernelBench& f, Device device, const BenchCase& c,
                       const std::optional<Ceilings>& ceilings) {
  const CallTimes times = times_of(c, clock_of(f, device));
  const double seconds = times.ours.seconds;
  nlohmann::json row = {{"family", c.family}, {"name", c.name}, {"shape", c.shape}, {"us", seconds * 1e6}};
  if (c.flops > 0) row["tflops"] = c.flops / seconds * 1e-12;
  row["gb_per_s"] = c.bytes / seconds * 1e-9;
  if (ceilings)
    row["share_of_ceiling"] =
        std::max(c.flops / ceilings->flops_per_s, c.bytes / ceilings->bytes_per_s) / seconds;
  if (!times.ours.launched.empty()) row["launched"] = times.ours.launched;
  const std::string failure = c.reference ? times.failure : c.refused;
  if (c.reference || !failure.empty()) row["beside"] = c.beside;
  if (!failure.empty()) {
    row["reference_failure"] = failure;
  } else if (c.reference) {
    row["reference_us"] = times.theirs.seconds * 1e6;
    row["ratio"] = times.theirs.seconds / seconds;  // above 1: this one is faster
  }
  return row;
}

std::string rate(double flops_per_s) {
  return flops_per_s < 1e12 ? fmt::format("{:.1f} GF", flops_per_s * 1e-9)
                            : fmt::format("{:.1f} TF", flops_per_s * 1e-12);
}

void print_row(const nlohmann::json& r) {
  const auto text = [&](const char* key) { return r.value(key, std::string()); };
  std::cout << fmt::format(
      "{:<35} {:<42} {:<32} {:>10.1f} us {:>8} {:>8.0f} GB/s {:>6}{}{}\n", text("family"), text("name"),
      text("shape"), r["us"].get<double>(),
      r.contains("tflops") ? rate(r["tflops"].get<double>() * 1e12) : "", r["gb_per_s"].get<double>(),
      r.contains("share_of_ceiling") ? fmt::format("{:.0f} %", 100 * r["share_of_ceiling"].get<double>())
                                     : "",
      r.contains("ratio") ? fmt::format("  {} {:.1f} us, x{:.2f}", text("beside"),
                                        r["reference_us"].get<double>(), r["ratio"].get<double>())
      : r.contains("reference_failure")
          ? fmt::format("  {} failed: {}", text("beside"), text("reference_failure"))
          : "",
      r.contains("launched") ? fmt::format("  launched one by one: {}", text("launched")) : "");
}

// Geometric mean and worst against what stands beside, by family.
nlohmann::json summary(const nlohmann::json& rows) {
  std::map<std::string, std::vector<double>> ratios;
  for (const auto& r : rows)
    if (r.contains("ratio")) ratios[r["family"]].push_back(r["ratio"]);
  nlohmann::json result = nlohmann::json::object();
  for (const auto& [family, values] : ratios) {
    double logs = 0;
    for (const double v : values) logs += std::log(v);
    result[family] = {{"geomean", std::exp(logs / static_cast<double>(values.size()))},
                      {"worst", *std::min_element(values.begin(), values.end())},
                      {"cases", values.size()}};
  }
  return result;
}

template <class Wanted>
void list_cases(const std::vector<LazyCase>& cases, const Wanted& wanted, bool as_json) {
  nlohmann::json list = nlohmann::json::array();
  for (const LazyCase& c : cases) {
    if (!wanted(c)) continue;
    list.push_back({{"family", c.family}, {"name", c.name}});
    if (!as_json) std::cout << c.family << "  " << c.name << "\n";
  }
  if (as_json) std::cout << engine::dump_json(list, 2) << "\n";
}

// Where the results go: a table, one JSON object at the end, or lines of JSON as they come.
class Output {
 public:
  explicit Output(const KernelBench& f) : f_(f) {
    result_ = {{"device", f.device}, {"dtype", f.dtype}, {"rows", nlohmann::json::array()}};
  }
  void ceilings(const Ceilings& c) {
    result_["copy_gb_per_s"] = c.bytes_per_s * 1e-9, result_["matrix_tflops"] = c.flops_per_s * 1e-12;
    if (f_.json_lines) {
      nlohmann::json known = result_;
      known.erase("rows");
      line({{"ceilings", known}});
    } else if (!f_.json) {
      std::cout << fmt::format("copy {:.0f} GB/s, matrix product {}LOP/s\n", c.bytes_per_s * 1e-9,
                               rate(c.flops_per_s));
    }
  }
  void starts(const std::string& what, int64_t at) {
    if (f_.json_lines) line({{"starts", what}, {"at", at}});
  }
  void row(const nlohmann::json& r) {
    result_["rows"].push_back(r);
    if (f_.json_lines)
      line({{"row", r}});
    else if (!f_.json)
      print_row(r), std::cout << std::flush;
  }
  void end() {
    result_["summary"] = summary(result_["rows"]);
    if (f_.json_lines)
      line({{"summary", result_["summary"]}});
    else if (f_.json)
      std::cout << engine::dump_json(result_, 2) << "\n";
    else if (!result_["summary"].empty())  // empty where no library stood beside ours
      std::cout << engine::dump_json(result_["summary"], 2) << "\n";
  }

 private:
  static void line(const nlohmann::json& value) { std::cout << engine::dump_json(value) << std::endl; }

  const KernelBench& f_;
  nlohmann::json result_;
};

}  // namespace

std::string problem_of_ceilings(const std::string& text) {
  static const std::regex wanted(R"(none|\d+(\.\d+)?,\d+(\.\d+)?)");
  if (!std::regex_match(text, wanted)) return "is neither \"none\" nor two numbers with a comma between";
  const auto given = given_ceilings(text);
  return given && (given->bytes_per_s <= 0 || given->flops_per_s <= 0) ? "has a rate of zero" : "";
}

int bench_kernels(KernelBench f) {
  const Device device = set_up_device(f.device, f.threads);
  check_clock(f.cpu_time, device, f.threads);
  f.cases.device = device;
  f.cases.dtype = engine::named<DType>(f.dtype, "--dtype", errors::bad_value);
  const auto cases = bench_cases(f.cases);
  const std::regex filter(f.filter);
  const auto wanted = [&](const LazyCase& c) { return std::regex_search(c.family + " " + c.name, filter); };
  if (std::ranges::none_of(cases, wanted))
    throw Error(errors::bad_value, "--filter " + engine::quote(f.filter) + " matches no case",
                "eb_engine bench kernels --list names them all");
  if (f.list) {
    list_cases(cases, wanted, f.json);
    return 0;
  }
  Output output(f);
  if (f.ceilings.empty()) output.starts("ceilings", -1);
  const auto ceilings = f.ceilings.empty() ? measure_ceilings(f, device) : given_ceilings(f.ceilings);
  if (ceilings) output.ceilings(*ceilings);
  int64_t at = 0;
  for (const LazyCase& lazy : cases) {
    if (!wanted(lazy) || at++ < f.skip) continue;
    output.starts(lazy.family + " " + lazy.name, at - 1);
    output.row(measure(f, device, lazy.make(), ceilings));
  }
  output.end();
  return 0;
}

}  // namespace eb::tools
