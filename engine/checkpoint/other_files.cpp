#include "engine/checkpoint/other_files.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/base/error_codes.h"

namespace eb::engine {

namespace {

struct Kind {
  const char *name, *hint;
};
constexpr const char* resave = "save its tensors as safetensors where it was made: docs/pytorch.md";
constexpr Kind pickle = {"a PyTorch file (pickle); pickle is never read here",
                         "docs/pytorch.md converts it in five lines of Python"};
constexpr Kind lfs = {"a git-lfs pointer, the note that stands for the file in a repository",
                      "git lfs pull, in that repository, fetches the file"};
constexpr Kind page = {"HTML or XML, so probably the page about the file",
                       "download the file itself; what it says may be why it is not that"};
constexpr Kind json_text = {"JSON text", "an index or an error message: download the tensors themselves"};
constexpr Kind hdf5 = {"HDF5, as Keras writes it", resave};
constexpr Kind onnx = {"ONNX", resave};
constexpr Kind keras = {"a Keras archive", resave};
constexpr Kind numpy = {"NumPy (.npz or .npy)", "safetensors.numpy.save_file(dict(numpy.load(FILE)), OUT)"};
constexpr Kind gguf = {"GGUF", resave};
constexpr Kind gzip = {"compressed by gzip", "unpack it"};

// The first file in a zip archive says who wrote it: torch.save begins with NAME/data.pkl.
const Kind& kind_of_zip(std::string_view bytes) {
  constexpr size_t length_at = 26, name_at = 30;
  if (bytes.size() < name_at) return pickle;
  uint16_t length = 0;
  std::memcpy(&length, bytes.data() + length_at, sizeof length);
  const std::string_view first = bytes.substr(name_at, length);
  if (first.ends_with(".npy")) return numpy;
  return first == "metadata.json" || first == "config.json" ? keras : pickle;
}

// A ModelProto begins with its ir_version, then names its producer or holds its graph, opset or domain.
bool is_onnx(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 8 && bytes[1] > 0 && bytes[1] < 32 &&
         std::string_view("\x12\x1a\x22\x28\x3a\x42").find(bytes[2]) != std::string_view::npos;
}

// Null: nothing that is known.
const Kind* kind_of(std::string_view bytes) {
  if (bytes.starts_with("PK\x03\x04")) return &kind_of_zip(bytes);
  // torch.save of old versions: a pickle of protocol 2 or newer
  if (bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) return &pickle;
  if (bytes.starts_with("version https://git-lfs")) return &lfs;
  if (bytes.starts_with("\x89HDF\r\n\x1a\n")) return &hdf5;
  if (bytes.starts_with("\x93NUMPY")) return &numpy;
  if (bytes.starts_with("GGUF")) return &gguf;
  if (bytes.starts_with("\x1f\x8b")) return &gzip;
  if (is_onnx(bytes)) return &onnx;
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  if (bytes.starts_with('<')) return &page;
  return bytes.starts_with('{') ? &json_text : nullptr;
}

}  // namespace

Error not_safetensors(std::string_view bytes, const std::string& name) {
  const Kind* kind = kind_of(bytes);
  if (kind)
    return Error(kind == &pickle ? errors::pickle : errors::safetensors_header_length,
                 name + " is no safetensors file: it is " + kind->name, kind->hint);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return Error(errors::safetensors_header_length, name + ": the header would have " + std::to_string(length) +
                                                      " bytes, the file has " +
                                                      std::to_string(bytes.size() - 8) + " after the length");
}

}  // namespace eb::engine
