#include <nlohmann/json.hpp>

#include "support/oracle_graph.h"

namespace eb::test {

engine::Graph GraphCase::graph() const {
  engine::Graph g = engine::graph_from_json(nlohmann::json::parse(json));
  g.infer_shapes();
  return g;
}

std::vector<GraphCase> graph_cases() {
  return {
      {"residual", R"({"input": {"id": "x", "shape": [3, 8, 6]}, "output": "fc", "nodes": [
        {"id": "c1", "op": "conv", "in": ["x"], "out_channels": 5, "kernel": 3, "pad": 1},
        {"id": "b1", "op": "bn", "in": ["c1"]},
        {"id": "r1", "op": "relu", "in": ["b1"]},
        {"id": "p1", "op": "max_pool", "in": ["r1"], "kernel": 2},
        {"id": "c2", "op": "conv", "in": ["p1"], "out_channels": 5, "kernel": 3, "pad": 1},
        {"id": "b2", "op": "bn", "in": ["c2"]},
        {"id": "sum", "op": "add", "in": ["b2", "p1"]},
        {"id": "r2", "op": "relu", "in": ["sum"]},
        {"id": "fc", "op": "linear", "in": ["r2"], "out_channels": 4}]})"},
      {"pre_activation", R"({"input": {"id": "x", "shape": [2, 5, 7]}, "output": "fc", "nodes": [
        {"id": "c0", "op": "conv", "in": ["x"], "out_channels": 6, "kernel": 3, "pad": 1},
        {"id": "b1", "op": "bn", "in": ["c0"]},
        {"id": "s1", "op": "select", "in": ["b1"], "indices": [0, 2, 3, 5], "total": 6},
        {"id": "r1", "op": "relu", "in": ["s1"]},
        {"id": "c1", "op": "conv", "in": ["r1"], "out_channels": 3, "kernel": 1},
        {"id": "b2", "op": "bn", "in": ["c1"]},
        {"id": "r2", "op": "relu", "in": ["b2"]},
        {"id": "c2", "op": "conv", "in": ["r2"], "out_channels": 6, "kernel": 3, "pad": 1},
        {"id": "sum", "op": "add", "in": ["c2", "c0"]},
        {"id": "b3", "op": "bn", "in": ["sum"]},
        {"id": "s3", "op": "select", "in": ["b3"]},
        {"id": "r3", "op": "relu", "in": ["s3"]},
        {"id": "gap", "op": "global_avg_pool", "in": ["r3"]},
        {"id": "fc", "op": "linear", "in": ["gap"], "out_channels": 3}]})"},
      {"downsample", R"({"input": {"id": "x", "shape": [3, 7, 7]}, "output": "fc", "nodes": [
        {"id": "c0", "op": "conv", "in": ["x"], "out_channels": 4, "kernel": 3, "pad": 1},
        {"id": "b0", "op": "bn", "in": ["c0"]},
        {"id": "r0", "op": "relu", "in": ["b0"]},
        {"id": "c1", "op": "conv", "in": ["r0"], "out_channels": 6, "kernel": 3, "stride": 2, "pad": 1},
        {"id": "b1", "op": "bn", "in": ["c1"]},
        {"id": "d0", "op": "conv", "in": ["r0"], "out_channels": 6, "kernel": 1, "stride": 2, "bias": true},
        {"id": "d1", "op": "bn", "in": ["d0"]},
        {"id": "sum", "op": "add", "in": ["b1", "d1"]},
        {"id": "r1", "op": "relu", "in": ["sum"]},
        {"id": "pool", "op": "avg_pool", "in": ["r1"], "kernel": 2, "stride": 1, "pad": 1},
        {"id": "fc", "op": "linear", "in": ["pool"], "out_channels": 4}]})"},
      {"two_readers", R"({"input": {"id": "x", "shape": [4, 5, 3]}, "output": "out", "nodes": [
        {"id": "b0", "op": "bn", "in": ["x"]},
        {"id": "c1", "op": "conv", "in": ["b0"], "out_channels": 4, "kernel": [3, 1], "pad": [1, 0],
          "groups": 2, "bias": true},
        {"id": "b1", "op": "bn", "in": ["c1"]},
        {"id": "r1", "op": "relu", "in": ["b1"]},
        {"id": "sum", "op": "add", "in": ["b1", "r1"]},
        {"id": "some", "op": "select", "in": ["sum"], "indices": [1, 3], "total": 4},
        {"id": "r2", "op": "relu", "in": ["some"]},
        {"id": "c2", "op": "conv", "in": ["sum"], "out_channels": 2, "kernel": 1},
        {"id": "sum2", "op": "add", "in": ["r2", "c2"]},
        {"id": "pool", "op": "max_pool", "in": ["sum2"], "kernel": 3, "stride": 2, "pad": 1},
        {"id": "fc", "op": "linear", "in": ["pool"], "out_channels": 5, "bias": false},
        {"id": "r3", "op": "relu", "in": ["fc"]},
        {"id": "out", "op": "linear", "in": ["r3"], "out_channels": 3}]})"},
      {"later_partner", R"({"input": {"id": "x", "shape": [3, 4, 4]}, "output": "gap", "nodes": [
        {"id": "c0", "op": "conv", "in": ["x"], "out_channels": 3, "kernel": 1},
        {"id": "b0", "op": "bn", "in": ["c0"]},
        {"id": "c1", "op": "conv", "in": ["x"], "out_channels": 3, "kernel": 3, "pad": 1},
        {"id": "sum", "op": "add", "in": ["c1", "b0"]},
        {"id": "r", "op": "relu", "in": ["sum"]},
        {"id": "gap", "op": "global_avg_pool", "in": ["r"]}]})"},
      {"visible_output", R"({"input": {"id": "x", "shape": [3, 1, 1]}, "output": "b", "nodes": [
        {"id": "c", "op": "conv", "in": ["x"], "out_channels": 4, "kernel": 1},
        {"id": "b", "op": "bn", "in": ["c"]}]})"},
  };
}

}  // namespace eb::test
