#include "engine/checkpoint/checkpoint.h"

#include <unistd.h>
#include <xxhash.h>

#include <random>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/checkpoint/checkpoint_parts.h"
#include "engine/checkpoint/names.h"
#include "engine/checkpoint/safetensors.h"

namespace eb::engine {

using nlohmann::json;

static const std::string part_names[] = {file_names::model, file_names::optimizer, file_names::state};
static const std::string hooks_part = file_names::hooks;  // only where there is something to keep

std::string content_hash(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  std::string hex;
  for (const unsigned char byte : canonical.digest)
    hex += "0123456789abcdef"[byte >> 4], hex += "0123456789abcdef"[byte & 15];
  return hex;
}

// A JSON object with the limits of the config reader, its faults reported under `code`.
static json parse_object(const std::string& text, const fs::path& file, int code) {
  try {
    json value = parse_json(text, file.string(), false);
    if (value.is_object()) return value;
  } catch (const Error& e) {
    throw Error(code, quote_path(file) + ": " + e.message(), "", e.where());
  }
  throw Error(code, quote_path(file) + ": not a JSON object");
}

// --- writing ---

static void write_part(const fs::path& directory, const std::string& name, const std::string& bytes,
                       json& files) {
  write_file_synced(directory / name, bytes);
  files[name] = {{"bytes", bytes.size()}, {"xxh3_128", content_hash(bytes)}};
}

void write_parts(const fs::path& path, int64_t step, const Checkpoint& c, bool milestone) {
  const std::string state = dump_json(c.state);
  parse_object(state, path / file_names::state,
               errors::checkpoint_content);  // nothing is written that could not be read
  json files = json::object();
  make_directory(path);
  write_part(path, file_names::model, to_safetensors({c.model, c.metadata}), files);
  write_part(path, file_names::optimizer, to_safetensors({c.optim, {}}), files);
  write_part(path, file_names::state, state, files);
  if (!c.hooks.empty()) write_part(path, hooks_part, to_safetensors({c.hooks, {}}), files);
  const auto graph = c.metadata.find("graph");
  const json manifest = {{"format", checkpoint_format},
                         {"step", step},
                         {"milestone", milestone},
                         {"graph_xxh3_128", graph == c.metadata.end() ? "" : content_hash(graph->second)},
                         {"files", files}};
  write_file_synced(path / file_names::manifest, manifest.dump(2) + "\n");
  sync_directory(path);
}

fs::path temporary_beside(const fs::path& path) {
  static std::random_device random;
  const std::string name = ".tmp-" + path.filename().string() + "-" + std::to_string(::getpid()) + "-" +
                           std::to_string(random() % 0x10000);
  return path.parent_path() / name;
}

void export_checkpoint(const fs::path& path, int64_t step, const Checkpoint& checkpoint) {
  if (fs::exists(fs::symlink_status(path)))
    throw Error(errors::output_exists, quote_path(path) + " exists already",
                "name a directory that does not exist");
  const fs::path temporary = temporary_beside(fs::absolute(path));
  try {
    write_parts(temporary, step, checkpoint, false);
    rename_synced(temporary, fs::absolute(path));
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

// --- reading ---

static Manifest::Part part_from(const json& part, const fs::path& file) {
  if (part.is_object() && part.contains("bytes") && part["bytes"].is_number_unsigned() &&
      part.contains("xxh3_128") && part["xxh3_128"].is_string())
    return {part["bytes"], part["xxh3_128"]};
  throw Error(errors::checkpoint_manifest, quote_path(file) + ": no size and hash for each file");
}

// Names come from our own list, never from the file: a manifest cannot point outside its directory.
static Manifest manifest_from(const json& j, const fs::path& file) {
  const auto is_integer = [&](const char* key) { return j.contains(key) && j[key].is_number_integer(); };
  if (!is_integer("format") || !is_integer("step") || !j.contains("files") || !j["files"].is_object())
    throw Error(errors::checkpoint_manifest, quote_path(file) + ": not the manifest of a checkpoint");
  if (j["format"] != checkpoint_format)
    throw Error(errors::checkpoint_newer,
                quote_path(file) + ": checkpoint format " + j["format"].dump() +
                    ", this program reads format " + std::to_string(checkpoint_format),
                "use the version of eb_engine that wrote it");
  Manifest m;
  m.step = j["step"];
  m.milestone = j.contains("milestone") && j["milestone"] == true;
  for (const std::string& name : part_names) {
    if (!j["files"].contains(name))
      throw Error(errors::checkpoint_manifest, quote_path(file) + ": does not list " + name);
    m.files[name] = part_from(j["files"][name], file);
  }
  if (j["files"].contains(hooks_part)) m.files[hooks_part] = part_from(j["files"][hooks_part], file);
  return m;
}

Manifest read_manifest(const fs::path& directory) {
  const fs::path file = directory / file_names::manifest;
  std::string text;
  try {
    text = read_file(file, size_t{1} << 20);
  } catch (const Error& e) {
    throw Error(errors::checkpoint_manifest,
                quote_path(directory) + " is not a whole checkpoint: " + e.message());
  }
  return manifest_from(parse_object(text, file, errors::checkpoint_manifest), file);
}

static std::string read_part(const fs::path& directory, const std::string& name, const Manifest::Part& part) {
  const fs::path file = directory / name;
  std::string bytes;
  try {
    bytes = read_file(file);
  } catch (const Error& e) {
    throw Error(errors::checkpoint_file, "damaged checkpoint: " + e.message());
  }
  if (bytes.size() != part.bytes)
    throw Error(errors::checkpoint_file, "damaged checkpoint: " + quote_path(file) + " has " +
                                             std::to_string(bytes.size()) + " bytes, its manifest says " +
                                             std::to_string(part.bytes));
  if (const std::string hash = content_hash(bytes); hash != part.xxh3_128)
    throw Error(errors::checkpoint_hash, "damaged checkpoint: " + quote_path(file) +
                                             " has the hash xxh3_128 " + hash + ", its manifest says " +
                                             printable(part.xxh3_128));
  return bytes;
}

void verify_checkpoint(const fs::path& directory) {
  for (const auto& [name, part] : read_manifest(directory).files) read_part(directory, name, part);
}

// The JSON text under `key` of a file's metadata; null if it has none.
static json metadata_object(const SafetensorsFile& file, const std::string& key, const fs::path& path) {
  const auto found = file.metadata.find(key);
  return found == file.metadata.end() ? json(nullptr)
                                      : parse_object(found->second, path / key, errors::checkpoint_content);
}

Checkpoint load_checkpoint(const fs::path& directory) {
  const Manifest manifest = read_manifest(directory);
  const auto read = [&](const std::string& name) {
    return read_part(directory, name, manifest.files.at(name));
  };
  const auto tensors = [&](const std::string& name) {
    const std::string bytes = read(name);
    return parse_safetensors(bytes.data(), bytes.size(), (directory / name).string());
  };
  SafetensorsFile model = tensors(file_names::model);
  const auto described = [&](const char* key) {
    json value = metadata_object(model, key, directory / file_names::model);
    if (!value.is_null()) return value;
    throw Error(errors::checkpoint_content, quote_path(directory / file_names::model) + " carries no " + key);
  };
  Checkpoint c;
  c.graph_ = described("graph");
  c.config_ = described("config");
  c.state = parse_object(read(file_names::state), directory / file_names::state, errors::checkpoint_content);
  c.model = std::move(model.tensors);
  c.metadata = std::move(model.metadata);
  c.optim = tensors(file_names::optimizer).tensors;
  if (manifest.files.count(hooks_part)) c.hooks = tensors(hooks_part).tensors;
  return c;
}

ModelFile load_model_file(const fs::path& path) {
  SafetensorsFile file = read_safetensors(path);
  ModelFile model{{}, metadata_object(file, "graph", path), metadata_object(file, "config", path)};
  if (model.graph.is_null())
    throw Error(errors::model_without_graph, quote_path(path) + " carries no graph in its metadata",
                "only a model.safetensors written by eb_engine can be loaded without a config; `eb_engine "
                "import` makes a checkpoint of other weights");
  model.tensors = std::move(file.tensors);
  return model;
}

}  // namespace eb::engine
