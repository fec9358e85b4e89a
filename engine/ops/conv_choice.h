// Which implementation of a convolution runs: ours, the vendor library's, or the faster of the two for each
// shape and direction, timed when the shape is first met and kept from then on. The two round differently, so
// choices are part of a run's state: its networks share one object (Model::conv), they travel in its
// checkpoints (engine/run/conv_choices.h), and a resumed run computes the same bits. One thread at a time:
// the one that trains or evaluates.
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>

#include "engine/base/enum_names.h"
#include "kernels/conv2d.h"
#include "kernels/library_error.h"

namespace eb::engine {

using kernels::Device;

class ConvChoice {
 public:
  using Conv2d = kernels::Conv2d;
  enum class Mode : uint8_t { ours, library, measured };  // cuda.conv
  // One call by the implementation it is given; repeating it must change nothing.
  using Call = std::function<void(const Conv2d&)>;
  struct NoLibrary {
    std::string why, remedy;
  };
  // Where implementations and times come from; tests bring their own.
  struct Source {
    std::function<const Conv2d&(Device)> ours;
    std::function<const Conv2d*(Device)> library;  // null if this build or device has none
    // Of work that may be repeated.
    std::function<double(Device, const std::function<void()>&)> seconds;
    std::function<NoLibrary(Device)> no_library = [](Device) {
      return NoLibrary{"no cuDNN", "use --device cuda"};
    };
  };

  ConvChoice();  // what this build has
  explicit ConvChoice(Source source) : source_(std::move(source)) {}

  // Forgets what was chosen. Error 5003 for Mode::library where there is none.
  void set_mode(Mode mode, Device device);
  // Told once of each shape whose measuring failed, so that our kernel runs it.
  void tell(std::function<void(const std::string&)> whom) { say_ = std::move(whom); }
  bool has_library(Device device) const { return source_.library(device) != nullptr; }

  // The call, by the implementation that is chosen for the shape. Mode::measured calls several times more
  // when it meets a shape, and must not meet one while a CUDA graph is captured; ours runs what the library
  // cannot do or what there is no memory to measure. Error 5004 if the library is chosen and cannot compute
  // the shape.
  template <class F>
  void run(Device device, const Conv2d::Params& p, Conv2d::Direction d, const F& call) {
    const Conv2d& chosen = pick(device, p, d, call);
    try {
      call(chosen);
    } catch (const kernels::LibraryError& e) {
      refused(p, d, e);
    }
  }

  // {"forward bf16 n256 32x32x3 k64 ...": "ours", ...}; empty unless measured.
  nlohmann::json to_json() const;
  // Choices of a checkpoint, which are then not measured again; without effect unless measured. Error 4023 if
  // they are none, 5003 if they name a library that a card of this build does not have.
  void load(const nlohmann::json& choices, Device device);

 private:
  // `call` stands by for a shape that has to be measured.
  template <class F>
  const Conv2d& pick(Device device, const Conv2d::Params& p, Conv2d::Direction d, const F& call) {
    const Conv2d& ours = source_.ours(device);
    const Conv2d* library = mode_ == Mode::ours ? nullptr : source_.library(device);
    if (!library || mode_ == Mode::library) return library ? *library : ours;
    return use_library(device, ours, *library, p, d, std::cref(call)) ? *library : ours;
  }
  [[noreturn]] static void refused(const Conv2d::Params& p, Conv2d::Direction d,
                                   const kernels::LibraryError& e);
  static bool ours_can_go_on(const std::exception& e);
  bool library_is_faster(Device device, const Conv2d& ours, const Conv2d& library, const Call& call) const;
  bool use_library(Device device, const Conv2d& ours, const Conv2d& library, const Conv2d::Params& p,
                   Conv2d::Direction d, const Call& call);

  Source source_;
  Mode mode_ = Mode::ours;
  std::map<std::string, bool> chosen_;  // by describe(); true: the library's
  std::function<void(const std::string&)> say_ = [](const std::string&) {};
};

constexpr auto enum_names(ConvChoice::Mode) {
  return names("ours", "cudnn", "auto");
}

// The text a choice is stored under; different for different Params and directions.
std::string describe(const kernels::Conv2d::Params& p, kernels::Conv2d::Direction d);

// The call by the implementation that `choice` picks; by ours without one.
template <class F>
void run_conv(ConvChoice* choice, Device device, const kernels::Conv2d::Params& p,
              kernels::Conv2d::Direction d, const F& call) {
  if (choice)
    choice->run(device, p, d, call);
  else
    call(kernels::conv2d(device));
}

}  // namespace eb::engine
