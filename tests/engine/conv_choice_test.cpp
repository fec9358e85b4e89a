// Which convolution runs, without a card: a second implementation and a clock that the test sets.
#include "engine/ops/conv_choice.h"

#include <set>

#include "engine/base/error_codes.h"
#include "engine/run/conv_choices.h"
#include "kernels/room.h"
#include "support/checkpoint_fixture.h"

namespace eb::engine {
namespace {

using kernels::Conv2d;
using Params = Conv2d::Params;
using Direction = Conv2d::Direction;
using Mode = ConvChoice::Mode;

constexpr Direction directions[] = {Direction::forward, Direction::backward_data, Direction::backward_weight};

// Seconds that a call of each takes, and how often each was called and timed.
struct Bench {
  const Conv2d& ours = kernels::conv2d(Device::cpu);
  Conv2d library = kernels::conv2d(Device::cpu);
  double ours_seconds = 1, library_seconds = 1;
  bool has_library = true, library_fails = false;
  int ours_calls = 0, library_calls = 0, timed = 0;
  const Conv2d* last = nullptr;

  ConvChoice::Source source() {
    return {[this](Device) -> const Conv2d& { return ours; },
            [this](Device) { return has_library ? &library : nullptr; },
            [this](Device, const std::function<void()>& work) {
              const int a = ours_calls, b = library_calls;
              work();
              ++timed;
              return (ours_calls - a) * ours_seconds + (library_calls - b) * library_seconds;
            }};
  }
  ConvChoice::Call call() {
    return [this](const Conv2d& k) {
      if (&k == &library && library_fails) throw std::runtime_error("no algorithm");
      last = &k;
      ++(&k == &library ? library_calls : ours_calls);
    };
  }
  // Whether the library runs the shape.
  bool library_runs(ConvChoice& choice, const Params& p, Direction d = Direction::forward) {
    choice.run(Device::cpu, p, d, call());
    return last == &library;
  }
};

constexpr Params small{.n = 2, .h = 5, .w = 5, .c = 3, .k = 4, .r = 3, .s = 3};

TEST(ConvChoice, ours_unless_asked) {
  Bench bench;
  bench.library_seconds = 0.1;
  ConvChoice choice(bench.source());
  EXPECT_FALSE(bench.library_runs(choice, small));
  EXPECT_EQ(bench.ours_calls, 1);
  EXPECT_EQ(bench.timed, 0);
  EXPECT_TRUE(choice.to_json().empty());
}

TEST(ConvChoice, the_library_where_asked) {
  Bench bench;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::library, Device::cpu);
  for (const Direction d : directions) EXPECT_TRUE(bench.library_runs(choice, small, d));
  EXPECT_EQ(bench.library_calls, 3);
  EXPECT_EQ(bench.ours_calls + bench.timed, 0);
}

TEST(ConvChoice, no_library_is_an_error_only_where_it_is_asked_for) {
  Bench bench;
  bench.has_library = false;
  ConvChoice choice(bench.source());
  const Error e = error_of([&] { choice.set_mode(Mode::library, Device::cpu); });
  EXPECT_EQ(e.code(), 5003);
  EXPECT_NE(e.hint().find("--conv ours"), std::string::npos);
  choice.set_mode(Mode::measured, Device::cpu);
  EXPECT_FALSE(bench.library_runs(choice, small));
  EXPECT_EQ(bench.timed, 0);
  EXPECT_TRUE(choice.to_json().empty());
}

// Where the library is asked for, its refusal is an error that names the shape; auto takes ours.
TEST(ConvChoice, a_shape_that_the_library_refuses_is_named) {
  Bench bench;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::library, Device::cpu);
  const auto refuses = [&](const Conv2d& k) {
    if (&k == &bench.library) throw kernels::LibraryError("no algorithm is deterministic");
  };
  const Error e = error_of([&] { choice.run(Device::cpu, small, Direction::backward_data, refuses); });
  EXPECT_EQ(e.code(), 5004);
  EXPECT_EQ(e.message(), describe(small, Direction::backward_data) + ": no algorithm is deterministic");
  EXPECT_NE(e.hint().find("--conv auto"), std::string::npos);
  choice.set_mode(Mode::measured, Device::cpu);
  choice.run(Device::cpu, small, Direction::backward_data, refuses);
  EXPECT_EQ(choice.to_json().begin().value(), "ours");
}

TEST(ConvChoice, says_why_there_is_no_library) {
  Bench bench;
  bench.has_library = false;
  auto source = bench.source();
  source.no_library = [](Device) { return ConvChoice::NoLibrary{"libcudnn was not found", "install it"}; };
  ConvChoice choice(source);
  const Error asked = error_of([&] { choice.set_mode(Mode::library, Device::cuda); });
  EXPECT_EQ(asked.message(), "libcudnn was not found");
  EXPECT_EQ(asked.hint(), "install it, or --conv ours");
  choice.set_mode(Mode::measured, Device::cuda);
  const Error stored = error_of([&] { choice.load({{"forward", "cudnn"}}, Device::cuda); });
  EXPECT_EQ(stored.message(), "the checkpoint was trained with cuDNN: libcudnn was not found");
}

TEST(ConvChoice, measures_each_shape_and_direction_once) {
  Bench bench;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::measured, Device::cpu);
  bench.library_seconds = 0.5;
  EXPECT_TRUE(bench.library_runs(choice, small));
  const int timed = bench.timed;
  EXPECT_GT(timed, 0);
  bench.library_seconds = 2;  // too late for the shape that is chosen, not for the other direction
  EXPECT_TRUE(bench.library_runs(choice, small));
  EXPECT_EQ(bench.timed, timed);
  EXPECT_FALSE(bench.library_runs(choice, small, Direction::backward_data));
  EXPECT_EQ(bench.timed, 2 * timed);
  const json choices = choice.to_json();
  EXPECT_EQ(choices, (json{{describe(small, Direction::forward), "cudnn"},
                           {describe(small, Direction::backward_data), "ours"}}));
}

TEST(ConvChoice, a_tie_is_ours) {
  Bench bench;
  bench.library_seconds = 0.99;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::measured, Device::cpu);
  EXPECT_FALSE(bench.library_runs(choice, small));
}

TEST(ConvChoice, one_slow_round_does_not_decide) {
  Bench bench;
  bench.library_seconds = 0.5;
  auto source = bench.source();
  int round = 0;
  source.seconds = [&, honest = source.seconds](Device d, const std::function<void()>& work) {
    return honest(d, work) + (++round <= 4 ? 1000 * (round % 2 == 0) : 0);  // the library's first two
  };
  ConvChoice choice(source);
  choice.set_mode(Mode::measured, Device::cpu);
  EXPECT_TRUE(bench.library_runs(choice, small));
}

TEST(ConvChoice, what_the_library_cannot_do_is_ours) {
  Bench bench;
  bench.library_fails = true;
  bench.library_seconds = 0.1;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::measured, Device::cpu);
  EXPECT_FALSE(bench.library_runs(choice, small));
  EXPECT_EQ(choice.to_json().begin().value(), "ours");
}

// The library may be called, but not be recorded; or there is no room for what is recorded.
TEST(ConvChoice, what_cannot_be_measured_is_ours_and_said_once) {
  const auto choose = [](const std::function<void()>& fail) {
    Bench bench;
    auto source = bench.source();
    source.seconds = [&](Device, const std::function<void()>&) -> double { return fail(), 1.; };
    ConvChoice choice(source);
    choice.set_mode(Mode::measured, Device::cpu);
    std::vector<std::string> said;
    choice.tell([&](const std::string& text) { said.push_back(text); });
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(bench.library_runs(choice, small));
    EXPECT_EQ(choice.to_json(), (json{{describe(small, Direction::forward), "ours"}}));
    return said;
  };
  const std::string begin =
      "our kernel runs " + describe(small, Direction::forward) + ", cuDNN could not be timed: ";
  using Said = std::vector<std::string>;
  EXPECT_EQ(choose([] { throw kernels::LibraryError("not while recording"); }),
            Said{begin + "not while recording"});
  EXPECT_EQ(choose([] { throw kernels::DeviceMemoryError("no room"); }), Said{begin + "no room"});
  EXPECT_EQ(choose([] { throw Error(errors::out_of_device_memory, "full"); }).size(), 1u);
  EXPECT_EQ(choose([] { throw std::bad_alloc(); }).size(), 1u);
  EXPECT_EQ(choose([] {}), Said{}) << "a tie";
}

// A device that fails, or a call where none may be, is no matter of taste.
TEST(ConvChoice, other_failures_of_measuring_are_not_hidden) {
  Bench bench;
  auto source = bench.source();
  source.seconds = [](Device, const std::function<void()>&) -> double {
    throw kernels::DeviceError("a kernel failed", false);
  };
  ConvChoice choice(source);
  choice.set_mode(Mode::measured, Device::cpu);
  EXPECT_THROW(bench.library_runs(choice, small), kernels::DeviceError);
  EXPECT_TRUE(choice.to_json().empty());
}

TEST(ConvChoice, every_parameter_has_its_own_choice) {
  std::vector<Params> all(16, small);
  all[1].dtype = kernels::DType::bf16;
  all[2].n++, all[3].h++, all[4].w++, all[5].c++, all[6].k++, all[7].r++, all[8].s++;
  all[9].stride_h++, all[10].stride_w++, all[11].pad_h++, all[12].pad_w++, all[13].groups++;
  all[14].tf32 = all[15].deterministic = true;
  Bench bench;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::measured, Device::cpu);
  std::set<std::string> names;
  for (size_t i = 0; i < all.size(); ++i)
    for (const Direction d : directions) {
      names.insert(describe(all[i], d));
      const int timed = bench.timed;
      bench.library_runs(choice, all[i], d);
      EXPECT_GT(bench.timed, timed) << describe(all[i], d);
    }
  EXPECT_EQ(names.size(), 3 * all.size());
  EXPECT_EQ(choice.to_json().size(), names.size());
}

TEST_F(CheckpointTest, conv_choices_come_back_and_are_not_measured_again) {
  Bench bench;
  ConvChoice before(bench.source());
  before.set_mode(Mode::measured, Device::cpu);
  Params wide = small;
  wide.k = 40;
  bench.library_seconds = 0.5;
  bench.library_runs(before, small);
  bench.library_seconds = 2;
  bench.library_runs(before, wide);
  Checkpoint c = sample(1);
  c.metadata["conv_choices"] = before.to_json().dump();
  save_checkpoint(ckpt_, 1, c);

  Bench other;
  ConvChoice after(other.source());
  after.set_mode(Mode::measured, Device::cpu);
  after.load(stored_conv_choices(load_checkpoint(step_path(1))), Device::cpu);
  EXPECT_TRUE(other.library_runs(after, small));
  EXPECT_FALSE(other.library_runs(after, wide));
  EXPECT_EQ(other.timed, 0);
  EXPECT_EQ(after.to_json(), before.to_json());
  after.set_mode(Mode::ours, Device::cpu);
  after.load(before.to_json(), Device::cpu);
  EXPECT_FALSE(other.library_runs(after, small));
}

TEST(ConvChoice, refuses_choices_that_are_none_or_cannot_be_followed) {
  Bench bench;
  ConvChoice choice(bench.source());
  choice.set_mode(Mode::measured, Device::cpu);
  const auto code = [&](const json& choices, Device d = Device::cpu) {
    return error_of([&] { choice.load(choices, d); }).code();
  };
  EXPECT_EQ(code(json::array()), 4023);
  EXPECT_EQ(code({{"forward", 1}}), 4023);
  EXPECT_EQ(code({{"forward", "theirs"}}), 4023);
  EXPECT_EQ(code({{"forward", "cudnn"}}, Device::cuda), 0);
  bench.has_library = false;
  EXPECT_EQ(code({{"forward", "cudnn"}}, Device::cuda), 5003);
  EXPECT_EQ(code({{"forward", "ours"}}, Device::cuda), 0);
  EXPECT_EQ(code({{"forward", "cudnn"}}), 0);  // the CPU has our kernels alone
  Checkpoint c;
  EXPECT_TRUE(stored_conv_choices(c).empty());
  c.metadata["conv_choices"] = "{";
  EXPECT_EQ(error_of([&] { stored_conv_choices(c); }).code(), 4023);
}

}  // namespace
}  // namespace eb::engine
