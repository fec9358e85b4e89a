#include "support/random_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace eb::test {

using nlohmann::json;

int64_t Choices::below(int64_t n) {
  if (from_bytes_) {
    if (bytes_.empty()) return 0;
    const int64_t v = bytes_.front() % n;
    bytes_ = bytes_.subspan(1);
    return v;
  }
  state_ += 0x9e3779b97f4a7c15u;  // splitmix64
  uint64_t z = state_;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return static_cast<int64_t>((z ^ z >> 31) % static_cast<uint64_t>(n));
}

namespace {

struct Value {
  std::string id;
  int64_t h, w, c;
  int readers = 0;
  bool same_shape(const Value& o) const { return h == o.h && w == o.w && c == o.c; }
};

class Maker {
 public:
  explicit Maker(Choices& choices) : choices_(choices) {}

  json make(int64_t classes, int64_t size) {
    modules_ = size != 0;
    values_.push_back({"x", 4 + choices_.below(4), 4 + choices_.below(4), 1 + choices_.below(4)});
    if (size) values_[0] = {"x", size, size, 3};
    const Value x = values_[0];
    const int64_t ops = 3 + choices_.below(12);
    for (int64_t i = 0; i < ops; ++i) append_any();
    if (!has_bn_) bn(conv(last(), 2 + choices_.below(6), 1, 1));
    const std::string output = join(classes);
    return {{"input", {{"id", "x"}, {"shape", {x.c, x.h, x.w}}}}, {"output", output}, {"nodes", nodes_}};
  }

 private:
  size_t last() const { return values_.size() - 1; }
  size_t some() {
    return choices_.below(3) ? last()
                             : static_cast<size_t>(choices_.below(static_cast<int64_t>(values_.size())));
  }

  // Dotted names as in a module tree, names that an inserted select may want, and, where nobody makes modules
  // of them, such that one is another's parent.
  std::string name() {
    const std::string n = fmt::format("n{}", values_.size());
    switch (choices_.below(6)) {
      case 0:
        return "block." + n;
      case 1:
        return values_.size() > 1 ? values_.back().id + (modules_            ? "_select"
                                                         : choices_.below(2) ? ".select"
                                                                             : "_select")
                                  : n;
      default:
        return n;
    }
  }

  size_t append(const char* op, std::vector<size_t> in, int64_t h, int64_t w, int64_t c,
                json keys = json::object()) {
    json inputs = json::array();
    for (size_t i : in) {
      inputs.push_back(values_[i].id);
      ++values_[i].readers;
    }
    const std::string id = name();
    keys.update({{"id", id}, {"op", op}, {"in", inputs}});
    nodes_.push_back(keys);
    values_.push_back({id, h, w, c});
    return last();
  }

  size_t conv(size_t in, int64_t out, int64_t kernel, int64_t groups, int64_t stride = 1) {
    const Value v = values_[in];
    const int64_t pad = kernel / 2;
    return append("conv", {in}, (v.h + 2 * pad - kernel) / stride + 1, (v.w + 2 * pad - kernel) / stride + 1,
                  out,
                  {{"out_channels", out},
                   {"kernel", kernel},
                   {"stride", stride},
                   {"pad", pad},
                   {"groups", groups},
                   {"bias", choices_.one_in(3)}});
  }

  size_t same(const char* op, size_t in) {
    return append(op, {in}, values_[in].h, values_[in].w, values_[in].c);
  }
  // A large eps: dead channels have no variance, and 1 / sqrt(1e-5) would blow rounding up at each of
  // several.
  size_t bn(size_t in) {
    has_bn_ = true;
    const Value v = values_[in];
    return append("bn", {in}, v.h, v.w, v.c, {{"eps", 0.05}});
  }

  size_t linear(size_t in, int64_t out) {
    return append("linear", {in}, 1, 1, out, {{"out_channels", out}, {"bias", !choices_.one_in(3)}});
  }

  void any_conv(size_t in) {
    const int64_t c = values_[in].c, kernel = choices_.below(2) ? 3 : 1, stride = 1 + choices_.one_in(4);
    switch (choices_.below(6)) {
      case 0:
        conv(in, c, kernel, c, stride);
        break;  // depthwise
      case 1:
        conv(in, 2 * c, kernel, c, stride);
        break;  // with a multiplier
      case 2:
        conv(in, c % 2 ? c : 4, kernel, c % 2 ? 1 : 2, stride);
        break;
      default:
        conv(in, 2 + choices_.below(8), kernel, 1, stride);
    }
  }

  // With a value of this shape, or with one made for it.
  void add(size_t a) {
    std::vector<size_t> partners;
    for (size_t b = 0; b < values_.size(); ++b)
      if (b != a && values_[a].same_shape(values_[b])) partners.push_back(b);
    size_t b = 0;
    if (!partners.empty() && !choices_.one_in(3))
      b = partners[static_cast<size_t>(choices_.below(static_cast<int64_t>(partners.size())))];
    else if (values_[a].h == 1 && values_[a].w == 1)
      b = linear(some(), values_[a].c);
    else
      b = conv(a, values_[a].c, 3, 1);
    append("add", {a, b}, values_[a].h, values_[a].w, values_[a].c);
  }

  void select(size_t in) {
    if (choices_.below(2)) {
      same("select", in);
      return;
    }
    const int64_t c = values_[in].c;
    json kept = json::array();
    for (int64_t i = 0; i < c; ++i)
      if (!choices_.one_in(3) || (i == c - 1 && kept.empty())) kept.push_back(i);
    append("select", {in}, values_[in].h, values_[in].w, static_cast<int64_t>(kept.size()),
           {{"indices", kept}, {"total", c}});
  }

  void pool(size_t in) {
    const Value v = values_[in];
    if (v.h < 2 || v.w < 2) return void(same("relu", in));
    const char* op = choices_.below(2) ? "max_pool" : "avg_pool";
    const int64_t pad = choices_.one_in(3);
    append(op, {in}, (v.h + 2 * pad - 2) / 2 + 1, (v.w + 2 * pad - 2) / 2 + 1, v.c,
           {{"kernel", 2}, {"stride", 2}, {"pad", pad}});
  }

  void append_any() {
    const size_t in = some();
    switch (choices_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return any_conv(in);
      case 4:
      case 5:
      case 6:
      case 7:
        return void(bn(in));
      case 8:
      case 9:
      case 10:
        return void(same("relu", in));
      case 11:
      case 12:
        return add(in);
      case 13:
        return select(in);
      case 14:
        return pool(in);
      default:
        if (choices_.one_in(3)) return void(append("global_avg_pool", {in}, 1, 1, values_[in].c));
        return void(linear(in, 2 + choices_.below(8)));
    }
  }

  // Whatever nobody reads ends in a linear layer, and their sum is the output; seldom a batch norm behind it.
  std::string join(int64_t classes) {
    std::vector<size_t> open;
    for (size_t i = 0; i < values_.size(); ++i)
      if (values_[i].readers == 0) open.push_back(i);
    size_t sum = linear(open[0], classes);
    for (size_t i = 1; i < open.size(); ++i) {
      const size_t more = linear(open[i], classes);
      sum = append("add", {sum, more}, 1, 1, classes);
    }
    if (choices_.one_in(8)) sum = bn(sum);
    return values_[sum].id;
  }

  Choices& choices_;
  std::vector<Value> values_;
  json nodes_ = json::array();
  bool has_bn_ = false, modules_ = false;
};

}  // namespace

json random_graph(Choices& choices, int64_t classes, int64_t size) {
  return Maker(choices).make(classes, size);
}

}  // namespace eb::test
