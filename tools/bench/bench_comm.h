// What the sum of gradients over ranks costs: ours, whose bits do not depend on the number of ranks, beside
// MPI's.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/world/world.h"

namespace eb::tools {

struct CommBench {
  int ranks = 0;            // that it starts; 0: two, or as many as a launcher has started
  double seconds = 2;       // for each size, about
  int64_t max_mib = 256;    // of the largest size
  int64_t bucket_mib = 16;  // as distributed.bucket_mib
  bool json = false, json_lines = false;
};

// On every rank, two at least; what it tells is the same on all of them. Keys: rows (bytes, wire_bytes,
// ours_ms, mpi_ms, ratio, calls), alpha_us and gb_s of both, networks (name, bytes, predicted_ms). Logic
// error if a sum is wrong.
nlohmann::ordered_json measure_comm(engine::World& world, const CommBench& bench,
                                    const std::function<void(const nlohmann::ordered_json&)>& each_row);

// `eb_engine bench comm`, after the ranks have been started; returns the exit code.
int bench_comm(engine::World& world, const CommBench& bench);

}  // namespace eb::tools
