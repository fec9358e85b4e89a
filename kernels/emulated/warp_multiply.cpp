#include "kernels/emulated/warp_multiply.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/emulated/block.h"
#include "kernels/emulated/tensor_core.h"

namespace eb::kernels::emulated {

namespace {

constexpr uint32_t poison = 0xffffffffu;
constexpr int rows = 16;  // of a warp's share of one instruction

struct Bf16 {
  using Element = uint16_t;
  using Sum = float;
  static constexpr int depth = 16;
  static Sum value(Element bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
  static void add_products(Sum* d, const Sum* a, const Sum* b, int n) {
    TensorCore::hopper(depth).multiply_add(d, a, b, rows, depth, n);
  }
};
struct Int8 {
  using Element = int8_t;
  using Sum = int32_t;
  static constexpr int depth = 32;
  static Sum value(Element code) { return code; }
  static void add_products(Sum* d, const Sum* a, const Sum* b, int n) {
    for (int m = 0; m < rows; ++m, d += n, a += depth)
      for (int k = 0; k < depth; ++k)
        for (int j = 0; j < n; ++j) d[j] += a[k] * b[k * n + j];
  }
};

// The fields of a shared-memory descriptor (PTX ISA 8.8, 9.7.16.5.1.2.2) and the layouts they describe with
// 128-byte swizzle: bits 4 to 6 of an address are those of its place in the row, exclusive or the row's
// number.
struct Operand {
  uint64_t descriptor;
  bool mn_major;
  uint32_t bytes = 2;  // of an element

  uint32_t field(int bit) const { return static_cast<uint32_t>(descriptor >> bit & 0x3fff) << 4; }
  bool supported() const { return descriptor >> 62 == 1 && (descriptor >> 49 & 7) == 0; }
  uint32_t address(int mn, int k) const {
    const uint32_t leading = field(16), stride = field(32);
    const auto u = [](int v) { return static_cast<uint32_t>(v); };
    const uint32_t at =
        field(0) + (mn_major ? u(mn % 64 * 2) + u(mn / 64) * leading + u(k % 8 * 128) + u(k / 8) * stride
                             : u(k) * bytes + u(mn % 8 * 128) + u(mn / 8) * stride);
    return at ^ (at >> 3 & 0x70);
  }
};

}  // namespace

std::shared_ptr<WarpMultiply::Accumulators> WarpMultiply::accumulators(const Registers& d, int size,
                                                                       Where where) {
  for (const Instruction& i : queue_)
    if (i.to->d[0] == d[0]) {
      if (i.to->size != size) block_.fail("mixes shapes in the same registers", "wgmma", where);
      return i.to;
    }
  if (!fenced_) block_.fail("lacks a fence since its registers were free", "wgmma", where);
  auto a = std::make_shared<Accumulators>(Accumulators{d, size, {}});
  a->values.resize(size_t{32} * size);
  for (int l = 0; l < 32; ++l) {
    std::memcpy(&a->values[size_t{1} * l * size], d[l], sizeof(uint32_t) * size);
    std::memset(d[l], 0xff, sizeof(uint32_t) * size);
  }
  return a;
}

void WarpMultiply::issue(const Wgmma& what, const Registers& d, Where where) {
  for (const Operand o : {Operand{what.a, what.a_mn_major}, Operand{what.b, what.b_mn_major}})
    if (!o.supported()) block_.fail("has a descriptor that is not of 128-byte swizzle", "wgmma", where);
  queue_.push_back({what, accumulators(d, what.n / 2, where), group_, where});
  issued_.push_back(what);
  if (block_.acts_at_issue())
    while (run_one()) {
    }
}

bool WarpMultiply::run_one() {
  if (ran_ == queue_.size()) return false;
  run(queue_[ran_++]);
  return true;
}

void WarpMultiply::run(const Instruction& i) {
  i.what.int8 ? multiply<Int8>(i) : multiply<Bf16>(i);
}

template <class Math>
void WarpMultiply::multiply(const Instruction& i) {
  using Sum = typename Math::Sum;
  constexpr int depth = Math::depth;
  constexpr uint32_t bytes = sizeof(typename Math::Element);
  const Operand a{i.what.a, i.what.a_mn_major, bytes}, b{i.what.b, i.what.b_mn_major, bytes};
  const auto element = [&](const Operand& o, int mn, int k) {
    const uint32_t at = o.address(mn, k);
    if (at + bytes > block_.shared_bytes()) block_.fail("reads outside shared memory", "wgmma", i.where);
    typename Math::Element bits;
    std::memcpy(&bits, block_.shared_base() + at, sizeof bits);
    return Math::value(bits);
  };
  const int n = i.what.n;
  Sum left[rows][depth];
  std::vector<Sum> right(size_t{depth} * n), sums(size_t{rows} * n);
  for (int k = 0; k < depth; ++k) {
    for (int m = 0; m < rows; ++m) left[m][k] = element(a, rows * quarter_ + m, k);
    for (int j = 0; j < n; ++j) right[k * n + j] = element(b, j, k);
  }
  uint32_t* values = i.to->values.data();
  // Column j of row m is register r of lane l.
  const auto place = [&](int m, int j) -> uint32_t& {
    const int l = m % 8 * 4 + j % 8 / 2, r = j / 8 * 4 + m / 8 * 2 + j % 2;
    return values[l * i.to->size + r];
  };
  const auto each_sum = [&](auto&& f) {
    for (int m = 0; m < rows; ++m)
      for (int j = 0; j < n; ++j) f(sums[size_t{1} * m * n + j], place(m, j));
  };
  each_sum([](Sum& sum, uint32_t& bits) { sum = std::bit_cast<Sum>(bits); });
  Math::add_products(sums.data(), left[0], right.data(), n);
  each_sum([](Sum& sum, uint32_t& bits) { bits = std::bit_cast<uint32_t>(sum); });
}

void WarpMultiply::wait(int pending_groups, Where where) {
  std::shared_ptr<Accumulators> done;
  const auto covered = [&] { return !queue_.empty() && queue_.front().group < group_ - pending_groups; };
  const auto still_used = [&](const Accumulators* a) {
    for (const Instruction& i : queue_)
      if (i.to.get() == a) return true;
    return false;
  };
  while (covered()) {
    if (ran_ == 0) run_one();
    done = queue_.front().to;
    queue_.pop_front();
    --ran_;
    if (!still_used(done.get())) write_back(*done, where);
  }
}

void WarpMultiply::write_back(const Accumulators& a, Where where) {
  for (int l = 0; l < 32; ++l)
    for (int r = 0; r < a.size; ++r) {
      uint32_t bits;
      std::memcpy(&bits, a.d[l] + r, sizeof bits);
      if (bits != poison)
        block_.fail("registers were written while a wgmma was under way in them", "wgmma wait", where);
      std::memcpy(a.d[l] + r, &a.values[size_t{1} * l * a.size + r], sizeof bits);
    }
  fenced_ = false;
}

}  // namespace eb::kernels::emulated
