#include "kernels/gather.h"

#include "support/devices.h"
#include "support/values.h"

namespace eb::test {
namespace {

struct GatherCase {
  int64_t k, taps, c;
  std::vector<int32_t> out, in;  // empty = all
};

TEST(Gather, MatchesIndexing) {
  const std::vector<GatherCase> cases{{7, 9, 5, {0, 3, 6}, {1, 4}},
                                      {7, 9, 5, {}, {0, 2, 3}},
                                      {7, 9, 5, {6}, {}},
                                      {7, 9, 5, {}, {}},
                                      {40, 1, 1, {0, 1, 2, 39}, {}},
                                      {300, 9, 64, {5, 100, 200, 299}, {0, 63}}};
  for (const GatherCase& g : cases) {
    const Floats x = to_floats(normal(g.k * g.taps * g.c, 1));
    const int64_t k_out = g.out.empty() ? g.k : static_cast<int64_t>(g.out.size());
    const int64_t c_out = g.in.empty() ? g.c : static_cast<int64_t>(g.in.size());
    Floats y(k_out * g.taps * c_out, NAN);
    const auto& kernel = kernels::gather(test_device().device);
    {
      Staged on;
      kernel.weight({.k_out = k_out, .taps = g.taps, .c_out = c_out, .c = g.c},
                    {.x = on(x),
                     .out = g.out.empty() ? nullptr : on(g.out),
                     .in = g.in.empty() ? nullptr : on(g.in),
                     .y = on(y)});
    }
    for (int64_t k = 0; k < k_out; ++k) {
      for (int64_t t = 0; t < g.taps; ++t) {
        for (int64_t j = 0; j < c_out; ++j) {
          const int64_t row = g.out.empty() ? k : g.out[k], column = g.in.empty() ? j : g.in[j];
          ASSERT_EQ(y[(k * g.taps + t) * c_out + j], x[(row * g.taps + t) * g.c + column]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace eb::test
