// Tickets on disk: strict on the way in, because a ticket may come from anywhere.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/checkpoint/safetensors.h"
#include "pruning/ticket.h"

namespace eb::pruning {

using namespace engine;
using nlohmann::json;

static Tensor mask_tensor(const std::vector<uint8_t>& keep) {
  Tensor t = Tensor::empty({static_cast<int64_t>(keep.size())}, DType::u8);
  std::memcpy(t.raw(), keep.data(), keep.size());
  return t;
}

static Tensor index_tensor(const std::vector<uint8_t>& keep) {
  Tensor t = Tensor::empty({static_cast<int64_t>(keep.size())});
  for (size_t i = 0; i < keep.size(); ++i) t.data<float>()[i] = keep[i];
  return t;
}

// The select that reads batch norm `bn` alone, or -1.
static int select_of(const Graph& g, const std::vector<std::vector<int>>& readers, int bn) {
  return readers[bn].size() == 1 && g.nodes[readers[bn][0]].op == Op::select ? readers[bn][0] : -1;
}

void save_ticket(const Ticket& ticket, const Graph& graph, const std::filesystem::path& path) {
  SafetensorsFile file;
  const auto readers = graph.consumers();
  for (const Mask& m : ticket.masks) {
    file.tensors[m.bn] = mask_tensor(m.keep);
    const int select = select_of(graph, readers, graph.find(m.bn));
    if (select >= 0) file.tensors[graph.nodes[select].id + ".indexes"] = index_tensor(m.keep);
  }
  file.metadata = {{"format", "eb_ticket 1"},
                   {"ratio", json(ticket.ratio).dump()},
                   {"epoch", std::to_string(ticket.epoch)},
                   {"step", std::to_string(ticket.step)},
                   {"rule", std::string(name_of(ticket.rule))},
                   {"threshold", json(ticket.threshold).dump()},
                   {"distances", json(ticket.distances).dump()},
                   {"graph_hash", ticket.graph_hash}};
  std::filesystem::create_directories(path.parent_path().empty() ? "." : path.parent_path());
  replace_file(path, to_safetensors(file));
}

static Mask read_mask(const SafetensorsFile& file, const Node& bn, const std::string& name) {
  const auto it = file.tensors.find(bn.id);
  if (it == file.tensors.end())
    throw Error(errors::ticket_mask_missing, fmt::format("{}: no mask for batch norm \"{}\"", name, bn.id),
                "it is another network's ticket");
  const Tensor& t = it->second;
  if (t.dtype() != DType::u8 || t.shape() != Shape{bn.c})
    throw Error(errors::ticket_bad_mask,
                fmt::format("{}: mask \"{}\" is {} {}, want u8 ({})", name, bn.id,
                            kernels::name_of(t.dtype()), to_string(t.shape()), bn.c),
                "it is another network's ticket");
  Mask m{bn.id, {t.data<uint8_t>(), t.data<uint8_t>() + t.size()}};
  for (uint8_t v : m.keep)
    if (v > 1)
      throw Error(errors::ticket_bad_mask,
                  fmt::format("{}: mask \"{}\" holds {}, want 0 or 1", name, bn.id, v));
  return m;
}

static void check_indexes(const SafetensorsFile& file, const std::string& id, const Mask& m,
                          const std::string& name) {
  const auto it = file.tensors.find(id);
  if (it == file.tensors.end()) return;
  const Tensor want = index_tensor(m.keep), &got = it->second;
  if (got.dtype() != DType::f32 || got.shape() != want.shape() ||
      std::memcmp(got.raw(), want.raw(), want.bytes()) != 0)
    throw Error(errors::ticket_bad_mask,
                fmt::format("{}: \"{}\" does not agree with mask \"{}\"", name, id, m.bn));
}

static bool is_count(const json& v) {
  return v.is_number_integer() && v >= 0 && v <= INT64_MAX;
}

static bool is_list_of_numbers(const json& v) {
  return v.is_array() && std::all_of(v.begin(), v.end(), [](const json& d) { return d.is_number(); });
}

// Metadata is optional, since masks are all that compaction needs; what is there must be what we would write.
static void read_metadata(const SafetensorsFile& file, Ticket& t, const std::string& name) {
  const auto text = [&](const char* key) {
    const auto it = file.metadata.find(key);
    return it == file.metadata.end() ? std::string() : it->second;
  };
  const auto value = [&](const char* key, bool (*fits)(const json&), const char* absent) {
    const std::string s = text(key);
    const json v = try_parse_json(s.empty() ? absent : s);
    if (!fits(v))
      throw Error(errors::ticket_metadata, fmt::format("{}: metadata \"{}\" makes no sense", name, key));
    return v;
  };
  const auto is_number = [](const json& v) { return v.is_number(); };
  t.ratio = value("ratio", is_number, "0");
  t.epoch = value("epoch", is_count, "0");
  t.step = value("step", is_count, "0");
  t.threshold = value("threshold", is_number, "0");
  t.distances = value("distances", is_list_of_numbers, "[]").get<std::vector<double>>();
  if (!text("rule").empty())
    t.rule = named<Rule>(text("rule"), name + ": metadata \"rule\"", errors::ticket_metadata);
  t.graph_hash = text("graph_hash");
}

Ticket load_ticket(const std::filesystem::path& path, const Graph& graph) {
  const SafetensorsFile file = read_safetensors(path);
  const std::string name = path.string();
  Ticket t;
  size_t known = 0;
  const auto readers = graph.consumers();
  for (int bn : graph.bn_nodes()) {
    t.masks.push_back(read_mask(file, graph.nodes[bn], name));
    ++known;
    const int select = select_of(graph, readers, bn);
    if (select < 0) continue;
    const std::string id = graph.nodes[select].id + ".indexes";
    check_indexes(file, id, t.masks.back(), name);
    known += file.tensors.count(id);
  }
  for (const auto& [id, tensor] : file.tensors) {
    const bool indexes = id.ends_with(".indexes") && graph.find(id.substr(0, id.size() - 8)) >= 0;
    if (!indexes && graph.find(id) < 0)
      throw Error(errors::ticket_unexpected, fmt::format("{}: unexpected tensor \"{}\"", name, id));
  }
  if (known != file.tensors.size())
    throw Error(errors::ticket_unexpected, fmt::format("{}: holds tensors of no batch norm", name));
  read_metadata(file, t, name);
  return t;
}

}  // namespace eb::pruning
