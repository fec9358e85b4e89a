#include "engine/ops/conv_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"
#include "engine/ops/recorded_seconds.h"
#include "kernels/reference.h"
#include "kernels/room.h"

namespace eb::engine {

using nlohmann::json;
using Params = kernels::Conv2d::Params;
using Direction = kernels::Conv2d::Direction;

constexpr int rounds = 5;
// A round is replayed twice, and the first replay must keep the device busy until the host has queued the
// second (recorded_seconds): tens of microseconds, where the smallest kernels take 3 each.
constexpr int calls_per_round = 20;
constexpr double clearly_faster = 0.97;  // of our time: a tie by noise goes to our kernels
constexpr const char* implementations[] = {"ours", "cudnn"};

static ConvChoice::NoLibrary no_cudnn(Device d) {
  const kernels::VendorLibrary& library = kernels::cudnn_library();
  const std::string none = fmt::format("no cuDNN for the device \"{}\"", kernels::name_of(d));
  if (library.problem.empty()) return {none, "use --device cuda"};
  return {d == Device::cuda ? none + ": " + library.problem : none, library.remedy};
}

ConvChoice::ConvChoice()
    : ConvChoice(Source{[](Device d) -> const Conv2d& { return kernels::conv2d(d); },
                        [](Device d) { return kernels::library_conv2d(d); }, recorded_seconds, no_cudnn}) {}

std::string describe(const Params& p, Direction d) {
  constexpr const char* directions[] = {"forward", "backward_data", "backward_weight"};
  return fmt::format("{} {}{} n{} {}x{}x{} k{} {}x{} stride {}x{} pad {}x{} groups {}{}",
                     directions[static_cast<int>(d)], kernels::name_of(p.dtype), p.tf32 ? " tf32" : "", p.n,
                     p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h, p.stride_w, p.pad_h, p.pad_w, p.groups,
                     p.deterministic ? " deterministic" : "");
}

void ConvChoice::refused(const Params& p, Direction d, const kernels::LibraryError& e) {
  throw Error(errors::cudnn_refused, describe(p, d) + ": " + e.what(),
              "use --conv auto, which takes our kernel for such a shape, or --conv ours");
}

void ConvChoice::set_mode(Mode mode, Device device) {
  if (mode == Mode::library && !has_library(device)) {
    const NoLibrary none = source_.no_library(device);
    throw Error(errors::no_cudnn, none.why, none.remedy + ", or --conv ours");
  }
  mode_ = mode;
  chosen_.clear();
}

bool ConvChoice::use_library(Device device, const Conv2d& ours, const Conv2d& library, const Params& p,
                             Direction d, const Call& call) {
  const std::string name = describe(p, d);
  if (const auto chosen = chosen_.find(name); chosen != chosen_.end()) return chosen->second;
  call(ours);  // first calls search algorithms and grow the allocator's cache
  try {
    call(library);
  } catch (const std::exception&) {  // no algorithm for the shape, or no memory for it
    return chosen_[name] = false;
  }
  try {
    return chosen_[name] = library_is_faster(device, ours, library, call);
  } catch (const std::exception& e) {
    if (!ours_can_go_on(e)) throw;
    say_("our kernel runs " + name + ", cuDNN could not be timed: " + e.what());
    return chosen_[name] = false;
  }
}

// The library refused to be recorded, or a recording found no room: nothing of either has run.
bool ConvChoice::ours_can_go_on(const std::exception& e) {
  const auto* error = dynamic_cast<const Error*>(&e);
  return dynamic_cast<const kernels::LibraryError*>(&e) || dynamic_cast<const std::bad_alloc*>(&e) ||
         dynamic_cast<const kernels::DeviceMemoryError*>(&e) ||
         (error && error->code() == errors::out_of_device_memory);
}

// Medians of rounds that take turns, so that a clock that rises or falls favours neither.
bool ConvChoice::library_is_faster(Device device, const Conv2d& ours, const Conv2d& library,
                                   const Call& call) const {
  std::vector<double> seconds[2];
  for (int i = 0; i < rounds; ++i)
    for (const Conv2d* k : {&ours, &library})
      seconds[k == &library].push_back(source_.seconds(device, [&] {
        for (int j = 0; j < calls_per_round; ++j) call(*k);
      }));
  for (auto& s : seconds) std::nth_element(s.begin(), s.begin() + rounds / 2, s.end());
  return seconds[1][rounds / 2] < clearly_faster * seconds[0][rounds / 2];
}

json ConvChoice::to_json() const {
  json choices = json::object();
  for (const auto& [name, library] : chosen_) choices[name] = implementations[library];
  return choices;
}

void ConvChoice::load(const json& choices, Device device) {
  std::map<std::string, bool> loaded;
  if (!choices.is_object())
    throw Error(errors::checkpoint_content, "the checkpoint's conv_choices are not an object");
  for (const auto& [name, value] : choices.items()) {
    if (value != implementations[0] && value != implementations[1])
      throw Error(errors::checkpoint_content,
                  "the checkpoint's conv_choices name \"" + value.dump() + "\" for " + name);
    loaded[name] = value == implementations[1];
  }
  if (mode_ != Mode::measured) return;
  const bool wants_library =
      std::any_of(loaded.begin(), loaded.end(), [](const auto& choice) { return choice.second; });
  if (wants_library && device == Device::cuda && !has_library(device)) {
    const NoLibrary none = source_.no_library(device);
    throw Error(errors::no_cudnn, "the checkpoint was trained with cuDNN: " + none.why,
                none.remedy + ", or --conv ours (resuming also needs --allow-change cuda.conv)");
  }
  chosen_ = std::move(loaded);
}

}  // namespace eb::engine
