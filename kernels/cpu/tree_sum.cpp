// A cache line of each row at a time, and all rows of it before the next: y is written once.
#include "kernels/tree_sum.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vec.h"
#include "kernels/elementwise.h"
#include "kernels/tree_order.h"

namespace eb::kernels::cpu {
namespace {

constexpr int64_t line = 16;

struct Line {
  Vec part[line / lanes];
  friend Line operator+(const Line& a, const Line& b) {
    Line sum;
    for (int64_t i = 0; i < line / lanes; ++i) sum.part[i] = a.part[i] + b.part[i];
    return sum;
  }
};

void slices(int n, int64_t count, const float* x, float* y) {
  parallel_ranges(count / line, line * (n + 1), [=](int64_t begin, int64_t end) {
    for (int64_t at = begin * line; at < end * line; at += line) {
      const Line sum = tree_sum_of<Line>(n, [=](int row) {
        Line v;
        for (int64_t i = 0; i < line / lanes; ++i) v.part[i] = load(x + row * count + at + i * lanes);
        return v;
      });
      for (int64_t i = 0; i < line / lanes; ++i) store(y + at + i * lanes, sum.part[i]);
    }
  });
}

void merge(int64_t count, float* left, const float* right) {
  elementwise.add({DType::f32, count}, left, right, left);
}

}  // namespace

const TreeSum tree_sum = {.slices = slices, .merge = merge};

}  // namespace eb::kernels::cpu
