// What a file is that is no safetensors file.
#include "engine/checkpoint/other_files.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/checkpoint/safetensors.h"

using namespace eb;

static std::string refusal(const std::string& bytes) {
  const std::string whole = bytes + std::string(64, 'x');
  try {
    engine::parse_safetensors(whole.data(), whole.size(), "w.safetensors");
  } catch (const Error& e) {
    return std::to_string(e.code()) + " " + e.message();
  }
  return "read";
}

static std::string zip_of(const std::string& first) {
  std::string bytes("PK\3\4\x14\0\0\0", 8);
  bytes.resize(30);
  bytes[26] = static_cast<char>(first.size());
  return bytes + first;
}

TEST(OtherFiles, are_told_by_their_first_bytes) {
  const std::pair<std::string, std::string> known[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "4002 git-lfs"},
      {"<!DOCTYPE html>\n<html>", "4002 HTML"},
      {"\n  <html lang=en>", "4002 HTML"},
      {"{\"error\": \"not found\"}", "4002 JSON"},
      {"\x89HDF\r\n\x1a\n", "4002 HDF5"},
      {std::string("\x08\x07\x12\x07pytorch\x1a\x05", 13), "4002 ONNX"},
      {"\x93NUMPY", "4002 NumPy"},
      {zip_of("layer.weight.npy"), "4002 NumPy"},
      {zip_of("metadata.json"), "4002 Keras"},
      {zip_of("archive/data.pkl"), "4013 PyTorch"},
      {"\x80\x02\x8a\x0al\xfc\x9c\x46", "4013 PyTorch"},
      {"\x1f\x8b\x08\x08", "4002 gzip"},
  };
  for (const auto& [bytes, want] : known) {
    const std::string message = refusal(bytes);
    EXPECT_EQ(message.substr(0, 4), want.substr(0, 4)) << message;
    EXPECT_NE(message.find(want.substr(5)), std::string::npos) << message << ", want " << want;
  }
  EXPECT_NE(refusal("\xff\xff\xff\xff\xff\xff\xff\x7f").find("the header would have"), std::string::npos);
}
