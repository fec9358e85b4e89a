// A checkpoint directory with one hostile file. The first byte picks the file, the rest is its content; the
// others are good, and hashes match unless the manifest is the hostile one. Only eb::Error may leave.
#include <xxhash.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/safetensors.h"
#include "support/temp_dir.h"

using namespace eb::engine;
namespace fs = std::filesystem;

static const std::string files[] = {"manifest.json",     "state.json",   "model.safetensors",
                                    "optim.safetensors", "../best.json", "hooks.safetensors"};

static void put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

static std::string hash_of(const std::string& bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  char hex[33];
  for (int i = 0; i < 16; ++i) std::snprintf(hex + 2 * i, 3, "%02x", canonical.digest[i]);
  return hex;
}

struct Fixture {
  eb::TempDir dir{true};
  fs::path step = dir / "step-00000001";
  std::map<std::string, std::string> good;
  Fixture() {
    Checkpoint c;
    c.state = {{"step", 1}};
    c.model["w"] = c.optim["w"] = c.hooks["swa/w"] = Tensor::zeros({2});
    c.metadata = {{"graph", "{}"}, {"config", "{}"}};
    export_checkpoint(step, 1, c);
    good = {{"state.json", c.state.dump()},
            {"model.safetensors", to_safetensors({c.model, c.metadata})},
            {"optim.safetensors", to_safetensors({c.optim, {}})},
            {"hooks.safetensors", to_safetensors({c.hooks, {}})}};
    for (const auto& [name, bytes] : good)
      listed[name] = {{"bytes", bytes.size()}, {"xxh3_128", hash_of(bytes)}};
  }
  nlohmann::json listed;
  void write(const std::string& name, const std::string& bytes) {
    nlohmann::json all = listed;
    if (good.count(name)) all[name] = {{"bytes", bytes.size()}, {"xxh3_128", hash_of(bytes)}};
    put(step / "manifest.json", nlohmann::json{{"format", 1}, {"step", 1}, {"files", all}}.dump());
    put(step / name, bytes);
  }
  void restore(const std::string& name) {
    if (good.count(name)) put(step / name, good.at(name));
  }
};

template <class F>
static bool accepted(F action) {
  try {
    action();
    return true;
  } catch (const eb::Error&) {
    return false;
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Fixture fixture;
  if (size == 0) return 0;
  const std::string& name = files[data[0] % std::size(files)];
  fixture.write(name, std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  Checkpoint c;
  if (accepted([&] { c = load_checkpoint(fixture.step); }) && !c.state.is_object()) std::abort();
  if (name == "manifest.json") accepted([&] { find_latest(fixture.dir.path()); });
  if (name == "model.safetensors") accepted([&] { load_model_file(fixture.step / name); });
  if (name == "../best.json")
    accepted([&] {
      const fs::path best = resolve_checkpoint(fixture.dir / "best.json");
      if (best.parent_path() != fixture.dir.path()) std::abort();
    });
  fixture.restore(name);
  return 0;
}
