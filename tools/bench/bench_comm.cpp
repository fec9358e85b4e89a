#include "tools/bench/bench_comm.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>

#include "data/each_sample.h"
#include "engine/base/json.h"
#include "engine/base/median.h"
#include "engine/graph/accounting.h"
#include "engine/train/shard_sum.h"
#include "tools/bench/bench_cases.h"
#include "tools/bench/bench_clock.h"
#include "tools/bench/comm_fit.h"

namespace eb::tools {

using namespace engine;
using nlohmann::ordered_json;

namespace {

constexpr double mib = 1 << 20;

struct Network {
  std::string name;
  int64_t bytes;  // of its gradients in f32
};

std::vector<Network> four_networks() {
  std::vector<Network> all;
  for (const char* name : {"vgg16", "preresnet101", "resnet18", "resnet50"})
    all.push_back({name, graph_cost(network_graph(name, 0)).params * 4});
  return all;
}

// Both sums of one size, in turn.
class Pair {
 public:
  Pair(World& world, int64_t bytes, const CommBench& bench)
      : world_(world),
        floats_(padded_length(bytes / 4, world.size())),
        ours_(Tensor::empty({floats_})),
        mpi_(Tensor::empty({floats_})),
        sum_(ours_, {.world = &world, .shards = world.size(), .bucket_bytes = bench.bucket_mib << 20}) {}

  // Small integers: any order of the additions has the same sum.
  void check() {
    const int64_t rank = world_.rank(), ranks = world_.size();
    for (const Tensor& t : {ours_, mpi_})
      for (int64_t i = 0; i < floats_; ++i)
        t.data<float>()[i] = static_cast<float>((i + 1) % 97 * (rank + 1));
    ours(), mpi();
    for (const Tensor& t : {ours_, mpi_})
      for (int64_t i = 0; i < floats_; ++i)
        if (t.data<float>()[i] != static_cast<float>((i + 1) % 97 * (ranks * (ranks + 1) / 2)))
          throw std::logic_error(
              fmt::format("[bench] the sum over ranks is wrong at float {} of {}", i, floats_));
    for (const Tensor& t : {ours_, mpi_}) std::fill_n(t.data<float>(), floats_, 0.f);
  }

  double ours() {
    return timed([&] { sum_.add(), sum_.finish(); });
  }
  double mpi() {
    return timed([&] { world_.all_reduce(Device::cpu, mpi_.data<float>(), floats_); });
  }
  int64_t bytes() const { return floats_ * 4; }

 private:
  template <class F>
  double timed(const F& call) {
    world_.barrier();
    const double start = clock_seconds(false);
    call();
    return clock_seconds(false) - start;
  }

  World& world_;
  int64_t floats_;
  Tensor ours_, mpi_;
  ShardSum sum_;
};

// A sum is done when the last rank has it.
std::vector<double> slowest(World& world, const std::vector<double>& mine) {
  std::vector<double> most(mine.size(), 0);
  for (const std::string& text : world.all_gather(nlohmann::json(mine).dump())) {
    const auto times = nlohmann::json::parse(text).get<std::vector<double>>();
    for (size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], times[i]);
  }
  return most;
}

ordered_json measure_row(World& world, const std::string& name, int64_t bytes, const CommBench& bench) {
  Pair pair(world, bytes, bench);
  pair.check();
  const double once = slowest(world, {pair.ours() + pair.mpi()})[0];
  const int calls = static_cast<int>(std::clamp(bench.seconds / once, 3., 2000.));
  std::vector<double> ours, mpi, ratio;
  for (int i = 0; i < calls; ++i) {  // who is first changes
    if (i % 2) mpi.push_back(pair.mpi());
    ours.push_back(pair.ours());
    if (i % 2 == 0) mpi.push_back(pair.mpi());
  }
  ours = slowest(world, ours), mpi = slowest(world, mpi);
  for (int i = 0; i < calls; ++i) ratio.push_back(ours[i] / mpi[i]);
  return {{"name", name},
          {"bytes", pair.bytes()},
          {"wire_bytes", wire_bytes(static_cast<double>(pair.bytes()), world.size())},
          {"ours_ms", median(ours) * 1e3},
          {"mpi_ms", median(mpi) * 1e3},
          {"ratio", median(ratio)},
          {"calls", calls}};
}

ordered_json fit_of(const ordered_json& rows, const char* time, CommFit& f) {
  std::vector<CommTime> times;
  for (const auto& r : rows) times.push_back({r["wire_bytes"], r[time].get<double>() / 1e3});
  f = fit(times);
  return {{"alpha_us", f.alpha * 1e6}, {"gb_s", f.beta / 1e9}};
}

std::string size_name(int64_t bytes) {
  return bytes < 1 << 20 ? fmt::format("{} KiB", bytes >> 10) : fmt::format("{} MiB", bytes >> 20);
}

std::string row_text(const ordered_json& r) {
  return fmt::format("| {} | {:.2f} | {:.3f} | {:.3f} | {:.2f} | {} |", r["name"].get<std::string>(),
                     r["wire_bytes"].get<double>() / mib, r["ours_ms"].get<double>(),
                     r["mpi_ms"].get<double>(), r["ratio"].get<double>(), r["calls"].get<int>());
}

std::string fit_text(const char* who, const ordered_json& f) {
  return fmt::format("{}: {:.1f} us a call and {:.2f} GB/s a rank\n", who, f["alpha_us"].get<double>(),
                     f["gb_s"].get<double>());
}

}  // namespace

ordered_json measure_comm(World& world, const CommBench& bench,
                          const std::function<void(const ordered_json&)>& each_row) {
  auto rows = ordered_json::array();
  const auto measure = [&](const std::string& name, int64_t bytes) {
    rows.push_back(measure_row(world, name, bytes, bench));
    each_row(rows.back());
  };
  const int64_t most = bench.max_mib << 20;
  for (int64_t bytes = 4096; bytes <= most; bytes *= 4) measure(size_name(bytes), bytes);
  const std::vector<Network> all = four_networks();
  if (const Network& vgg = all.front(); vgg.bytes <= most) measure(vgg.name, vgg.bytes);
  CommFit ours, mpi;
  ordered_json result = {{"ranks", world.size()},
                         {"hosts", world.hosts()},
                         {"cores", data::available_cores()},
                         {"bucket_mib", bench.bucket_mib}};
  result["ours"] = fit_of(rows, "ours_ms", ours);
  result["mpi"] = fit_of(rows, "mpi_ms", mpi);
  result["rows"] = std::move(rows);
  auto predicted = ordered_json::array();
  for (const Network& n : all)
    predicted.push_back(
        {{"name", n.name},
         {"bytes", n.bytes},
         {"predicted_ms", 1e3 * ours.seconds(wire_bytes(static_cast<double>(n.bytes), world.size()))}});
  result["networks"] = std::move(predicted);
  return result;
}

int bench_comm(World& world, const CommBench& bench) {
  const bool tells = world.leads(), table = tells && !bench.json && !bench.json_lines;
  if (table)
    std::cout << fmt::format(
        "{} ranks, {} cores here\n\n| size | MiB on the wire a rank | ours, ms | MPI_Allreduce, ms | "
        "ours / MPI | calls |\n|---|---|---|---|---|---|\n",
        world.size(), data::available_cores());
  ordered_json all = measure_comm(world, bench, [&](const ordered_json& row) {
    if (table) std::cout << row_text(row) << std::endl;
    if (tells && bench.json_lines) std::cout << dump_json(row) << std::endl;
  });
  if (tells && bench.json) std::cout << dump_json(all, 2) << "\n";
  if (tells && bench.json_lines) {
    all.erase("rows");
    std::cout << dump_json(all) << "\n";
  }
  if (!table) return 0;
  std::cout << "\n" << fit_text("ours", all["ours"]) << fit_text("MPI_Allreduce", all["mpi"]);
  std::cout << "Predicted by ours, for the gradients of";
  for (const auto& n : all["networks"])
    std::cout << fmt::format("{} {}: {:.1f} ms", &n == &all["networks"].front() ? "" : ",",
                             n["name"].get<std::string>(), n["predicted_ms"].get<double>());
  std::cout << "\n";
  return 0;
}

}  // namespace eb::tools
