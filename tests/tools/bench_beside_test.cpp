// What stands beside a case of `bench kernels`, or why nothing does.
#include <gtest/gtest.h>

#include "kernels/library_error.h"
#include "tools/bench/bench_cases.h"

namespace eb::tools {
namespace {

TEST(PutBeside, the_librarys_call_has_run_once_when_it_is_timed) {
  BenchCase c;
  int calls = 0;
  put_beside(c, "a library", [&] { return [&calls] { ++calls; }; });
  EXPECT_EQ(calls, 1) << "the first call chooses algorithms";
  c.reference();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(c.beside, "a library");
  EXPECT_EQ(c.refused, "");
}

TEST(PutBeside, a_shape_that_the_library_refuses_has_the_reason) {
  const auto refuse = [] { throw kernels::LibraryError("no algorithm"); };
  BenchCase early, late;
  put_beside(early, "a library", [&]() -> std::function<void()> {
    refuse();
    return {};
  });
  put_beside(late, "a library", [&] { return refuse; });
  for (const BenchCase* c : {&early, &late}) {
    EXPECT_FALSE(c->reference);
    EXPECT_EQ(c->refused, "no algorithm");
  }
}

TEST(PutBeside, other_failures_are_failures) {
  BenchCase c;
  EXPECT_THROW(put_beside(c, "a library", [] { return [] { throw std::runtime_error("a kernel failed"); }; }),
               std::runtime_error);
}

}  // namespace
}  // namespace eb::tools
