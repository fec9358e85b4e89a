// Our reader against files built by hand, byte by byte: only what the format says is read, all else is an
// Error.
#include "engine/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "support/temp_dir.h"

namespace eb::engine {

static std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  return bytes + header + data;
}

static SafetensorsFile parse(const std::string& bytes) {
  return parse_safetensors(bytes.data(), bytes.size(), "f");
}

static std::string braced(const std::string& content) {
  std::string s = "{";
  s += content;
  return s += "}";
}

static int code_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& e) {
    return e.code();
  }
  return 0;
}

static std::string message_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& e) {
    return e.message();
  }
  return "no error";
}

// {"a": {...}} with the parts given.
static std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"("a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

static std::string tensor(const std::string& name, uint64_t begin, uint64_t end) {
  return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
         R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

template <class T>
static Tensor tensor_of(Shape shape, DType dtype, std::vector<T> values) {
  const Tensor t = Tensor::empty(std::move(shape), dtype);
  EXPECT_EQ(t.bytes(), values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(t.raw(), values.data(), t.bytes());
  return t;
}

static SafetensorsFile every_dtype() {
  SafetensorsFile f;
  f.tensors["conv.weight"] = tensor_of<float>({2, 3}, DType::f32, {1, -0.0f, 3e38f, 1e-45f, 5, 6});
  f.tensors["mask/b-1"] = tensor_of<uint8_t>({3}, DType::u8, {0, 1, 255});
  f.tensors["half"] = tensor_of<uint16_t>({1, 1}, DType::bf16, {0x3f80});
  f.tensors["index"] = tensor_of<int32_t>({2}, DType::i32, {-1, INT32_MAX});
  f.tensors["double"] = tensor_of<double>({}, DType::f64, {std::numeric_limits<double>::infinity()});
  f.tensors["empty"] = tensor_of<float>({0, 5}, DType::f32, {});
  f.metadata = {{"graph", R"({"nodes":["ü"]})"}, {"", "x\n\"\\"}};
  return f;
}

TEST(Safetensors, every_dtype_comes_back_bit_for_bit) {
  const SafetensorsFile f = every_dtype();
  const SafetensorsFile back = parse(to_safetensors(f));
  EXPECT_EQ(back.metadata, f.metadata);
  ASSERT_EQ(back.tensors.size(), f.tensors.size());
  for (const auto& [name, t] : f.tensors) {
    const Tensor& b = back.tensors.at(name);
    EXPECT_EQ(b.shape(), t.shape()) << name;
    EXPECT_EQ(b.dtype(), t.dtype()) << name;
    ASSERT_EQ(b.bytes(), t.bytes()) << name;
    EXPECT_TRUE(t.bytes() == 0 || std::memcmp(b.raw(), t.raw(), t.bytes()) == 0) << name;
  }
}

TEST(Safetensors, bytes_of_a_known_file) {
  SafetensorsFile f;
  f.tensors["b"] = tensor_of<uint8_t>({1}, DType::u8, {7});
  f.tensors["c"] = tensor_of<int32_t>({1}, DType::i32, {2});
  const std::string header =
      R"({"c":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(to_safetensors(f), file_of(padded, std::string("\2\0\0\0\7", 5)));
  EXPECT_EQ(to_safetensors(every_dtype()), to_safetensors(parse(to_safetensors(every_dtype()))));
}

TEST(Safetensors, empty_file_has_no_tensors) {
  EXPECT_TRUE(parse(file_of("{}")).tensors.empty());
  EXPECT_TRUE(parse(file_of("{}   ")).metadata.empty());
  EXPECT_TRUE(parse(to_safetensors({})).tensors.empty());
}

TEST(Safetensors, header_length_is_checked_before_anything_else) {
  EXPECT_EQ(code_of(""), 4001);
  EXPECT_EQ(code_of("1234567"), 4001);
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{100'000'001}, uint64_t{1} << 62, UINT64_MAX - 7, UINT64_MAX - 8, UINT64_MAX}) {
    std::string bytes(reinterpret_cast<const char*>(&length), 8);
    EXPECT_EQ(code_of(bytes + "{}"), 4002) << length;
  }
  EXPECT_EQ(code_of(file_of("")), 4003);
}

TEST(Safetensors, header_must_be_one_json_object) {
  for (const std::string header :
       {" {}", "[]", "\xef\xbb\xbf{}", "{", "{}}", "{}x", "{\"a\":}", "{'a':1}", "{/**/}", "{\"a\xff\":{}}",
        "{\"\xc0\x80\":1}", "{\"\\ud800\":1}", "{\"a\":1e999}", "null"})
    EXPECT_EQ(code_of(file_of(header)), 4003) << header;
}

// The JSON parser would stop at a NUL: the rest could be a second file that another reader sees.
TEST(Safetensors, polyglots_are_refused) {
  EXPECT_EQ(code_of(file_of(std::string("{}\0PK\3\4 zip", 10))), 4003);
  for (const std::string pickle : {"PK\3\4", "\x80\2", "\x80\5"})  // torch.save, new and old
    EXPECT_EQ(code_of(pickle + file_of("{}")), 4013);
  EXPECT_EQ(code_of("PK\3\5" + file_of("{}")), 4002);
  EXPECT_EQ(code_of(file_of("{}", "trailing")), 4008);
}

TEST(Safetensors, structure_is_exact) {
  const std::string good = entry("U8", "[1]", "[0,1]");
  EXPECT_EQ(code_of(file_of(braced(good), "x")), 0);
  for (const std::string header : {
           R"({"a":1})",
           R"({"a":null})",
           R"({"a":[]})",
           R"({"a":"x"})",
           R"({"a":true})",
           R"({"a":{}})",
           R"({"a":{"dtype":"U8"}})",
           R"({"a":{"dtype":"U8","shape":[1]}})",
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})",
           R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
           R"({"a":{"dtype":5,"shape":[1],"data_offsets":[0,1]}})",
           R"({"a":{"dtype":"U8","shape":"1","data_offsets":[0,1]}})",
       })
    EXPECT_EQ(code_of(file_of(header, "x")), 4004) << header;
  for (const std::string shape :
       {"[-1]", "[1.0]", "[1e0]", "[\"1\"]", "[[1]]", "[{}]", "[null]", "[true]", "[9223372036854775808]",
        "[18446744073709551616]", "1", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"})
    EXPECT_EQ(code_of(file_of(braced(entry("U8", shape, "[0,1]")), "x")), 4004) << shape;
  for (const std::string offsets : {"[]", "[0]", "[0,1,2]", "[0,-1]", "[0,1.5]", "{}", "[[0,1]]"})
    EXPECT_EQ(code_of(file_of(braced(entry("U8", "[1]", offsets)), "x")), 4004) << offsets;
}

TEST(Safetensors, deep_and_wide_headers_end_at_once) {
  EXPECT_EQ(code_of(file_of("{\"a\":" + std::string(1'000'000, '['))), 4004);
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "{\"a\":";
  EXPECT_EQ(code_of(file_of(nested)), 4004);
  EXPECT_EQ(code_of(file_of(braced(entry("U8", "[" + std::string(100'000, '[') + "]", "[0,1]")))), 4004);
}

TEST(Safetensors, names_are_restricted_and_unique) {
  for (const std::string name : {"", "a b", "a\\u0000", "../x;", "\\n", "ü", "a\\\\b", "$(x)"})
    EXPECT_EQ(code_of(file_of("{\"" + name + "\":{}}")), 4005) << name;
  EXPECT_EQ(code_of(file_of("{\"" + std::string(1025, 'a') + "\":{}}")), 4005);
  EXPECT_EQ(code_of(file_of(braced(tensor("a", 0, 1) + "," + tensor("a", 1, 2)), "xy")), 4005);
  EXPECT_EQ(code_of(file_of(braced(tensor("a", 0, 1) + "," + tensor("\\u0061", 1, 2)), "xy")), 4005);
  SafetensorsFile f;
  f.tensors["a b"] = tensor_of<uint8_t>({1}, DType::u8, {7});
  EXPECT_THROW(to_safetensors(f), Error);
}

TEST(Safetensors, unknown_dtypes_are_named) {
  for (const std::string dtype : {"I16", "F16", "f32", "F8_E4M3", "", "BOOL"}) {
    const std::string bytes = file_of(braced(entry(dtype, "[1]", "[0,1]")), "x");
    EXPECT_EQ(code_of(bytes), 4006) << dtype;
    EXPECT_EQ(message_of(bytes), "\"f\": tensor \"a\" has dtype \"" + dtype + "\"");
  }
}

TEST(Safetensors, products_do_not_overflow) {
  for (const std::string shape :
       {"[4611686018427387904,4]", "[9223372036854775807]", "[4294967296,4294967296]",
        "[4294967296,4294967296,0]", "[4611686018427387904,3,0]", "[2305843009213693952]"}) {
    EXPECT_EQ(code_of(file_of(braced(entry("F32", shape, "[0,0]")))), 4007) << shape;
  }
  EXPECT_EQ(code_of(file_of(braced(entry("F32", "[0,9223372036854775807]", "[0,0]")))), 0);
}

TEST(Safetensors, offsets_must_match_the_shape) {
  for (const std::string offsets :
       {"[0,7]", "[0,9]", "[8,0]", "[0,18446744073709551615]", "[18446744073709551615,7]", "[1,8]"})
    EXPECT_EQ(code_of(file_of(braced(entry("F32", "[2]", offsets)), "01234567")), 4007) << offsets;
  EXPECT_EQ(code_of(file_of(braced(entry("F32", "[2]", "[0,8]")), "01234567")), 0);
}

TEST(Safetensors, tensors_tile_the_data_exactly) {
  const auto file = [](const std::string& tensors, size_t size) {
    return file_of(braced(tensors), std::string(size, 'x'));
  };
  EXPECT_EQ(code_of(file(tensor("b", 2, 4) + "," + tensor("a", 0, 2), 4)), 0);
  EXPECT_NE(message_of(file(tensor("a", 0, 2) + "," + tensor("b", 1, 3), 3)).find("inside the tensor before"),
            std::string::npos);
  EXPECT_NE(message_of(file(tensor("a", 0, 2) + "," + tensor("b", 3, 4), 4)).find("after a gap"),
            std::string::npos);
  EXPECT_EQ(code_of(file(tensor("a", 0, 2) + "," + tensor("b", 0, 2), 2)), 4008);  // the same bytes twice
  EXPECT_EQ(code_of(file(tensor("a", 1, 2), 2)), 4008);                            // a gap in front
  EXPECT_EQ(code_of(file(tensor("a", 0, 2), 3)), 4008);                            // bytes behind
  EXPECT_EQ(code_of(file(tensor("a", 0, 2), 1)), 4008);                            // cut off
  EXPECT_EQ(code_of(file(tensor("a", 0, 0) + "," + tensor("b", 0, 0), 0)), 0);  // empty tensors share a place
  EXPECT_EQ(code_of(file(tensor("a", 0, 2) + "," + tensor("e", 1, 1), 2)), 4008);  // but not inside another
}

TEST(Safetensors, metadata_is_text_and_small) {
  const auto metadata = [](const std::string& m) { return file_of("{\"__metadata__\":" + m + "}"); };
  EXPECT_EQ(parse(metadata(R"({"a":"b"})")).metadata.at("a"), "b");
  for (const std::string m :
       {R"({"a":1})", R"({"a":null})", R"({"a":{}})", R"({"a":[]})", R"({"a":"x","a":"y"})"})
    EXPECT_EQ(code_of(metadata(m)), 4009) << m;
  EXPECT_EQ(code_of(metadata("[]")), 4004);
  EXPECT_EQ(code_of(metadata("\"x\"")), 4004);
  EXPECT_EQ(code_of(file_of(R"({"__metadata__":{},"__metadata__":{}})")), 4004);
  EXPECT_EQ(code_of(metadata("{\"a\":\"" + std::string(999'999, 'x') + "\"}")), 0);
  EXPECT_EQ(code_of(metadata("{\"a\":\"" + std::string(1'000'000, 'x') + "\"}")), 4009);
  SafetensorsFile f;
  f.metadata["a"] = std::string(1'000'000, 'x');
  EXPECT_THROW(to_safetensors(f), Error);
}

TEST(Safetensors, every_truncation_and_every_growth_is_refused) {
  const std::string bytes = to_safetensors(every_dtype());
  for (size_t n = 0; n < bytes.size(); ++n) {
    const int code = code_of(bytes.substr(0, n));
    EXPECT_TRUE(code >= 4001 && code <= 4009) << n << ": " << code;
  }
  EXPECT_EQ(code_of(bytes + '\0'), 4008);
}

// No single damaged byte of the header may crash the reader; sanitizers and the fuzzer look closer.
TEST(Safetensors, flipped_header_bytes_give_errors_or_other_names) {
  const std::string bytes = to_safetensors(every_dtype());
  int refused = 0, total = 0;
  for (size_t i = 0; i < bytes.size() - 50; ++i)
    for (const int bit : {0, 3, 6}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      refused += code_of(damaged) != 0;
      ++total;
    }
  EXPECT_GT(refused, total / 2);
}

TEST(Safetensors, messages_name_the_file) {
  TempDir dir;
  write_file_synced(dir / "x.safetensors", "1234");
  try {
    read_safetensors(dir / "x.safetensors");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("x.safetensors"), std::string::npos);
  }
  try {
    read_safetensors(dir / "missing.safetensors");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), 4001);
    EXPECT_NE(e.message().find("missing.safetensors"), std::string::npos);
  }
}

}  // namespace eb::engine
