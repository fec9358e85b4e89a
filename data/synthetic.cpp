// Procedural pictures: one figure of random place, size, rotation and colours on a shaded background, among
// clutter, under noise. A class is a form, never a colour or a place, so a linear model learns next to
// nothing. Picture i of a split is a function of (i, split, options) alone: the run's seed changes the order,
// not the data.
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "data/dataset.h"
#include "data/shapes.h"
#include "kernels/philox.h"

namespace eb::data {
namespace {

using Color = std::array<float, 3>;

constexpr uint64_t seed = 0x5eed;       // of the data set itself
constexpr uint64_t blocks = 1 << 24;    // Philox blocks reserved for each picture
constexpr uint64_t noise_block = 4096;  // scene parameters come before, noise after

// A run of uniform numbers for one picture.
class Draw {
 public:
  Draw(Split split, int64_t i)
      : split_(static_cast<uint32_t>(split)), at_(static_cast<uint64_t>(i) * blocks) {}
  float operator()(float low, float high) {
    if (used_ == 4) words_ = kernels::philox(seed, kernels::Stream::synthetic, split_, at_++), used_ = 0;
    return low + (high - low) * kernels::uniform(words_[used_++]);
  }

 private:
  uint32_t split_;
  uint64_t at_;
  kernels::Philox4 words_{};
  int used_ = 4;
};

Color random_color(Draw& draw) {
  return {draw(0, 1), draw(0, 1), draw(0, 1)};
}

// Each channel differs from `other` by 0.3 to 0.7.
Color contrasting(Draw& draw, const Color& other) {
  Color c;
  for (int i = 0; i < 3; ++i) {
    const float v = other[i] + draw(0.3f, 0.7f);
    c[i] = v > 1 ? v - 1 : v;
  }
  return c;
}

struct Canvas {
  int size;
  std::vector<Color> pixels;

  // paint(x, y) -> (color, coverage) at pixel centres.
  template <class F>
  void paint(F&& at) {
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        const auto [color, cover] = at(x + 0.5f, y + 0.5f);
        Color& p = pixels[y * size + x];
        for (int c = 0; c < 3; ++c) p[c] += cover * (color[c] - p[c]);
      }
  }
};

struct Paint {
  Color color;
  float cover;
};

void paint_background(Canvas& canvas, Draw& draw, const Color& base) {
  const float angle = draw(0, 2 * std::numbers::pi_v<float>), shade = draw(0, 0.25f);
  const float dx = std::cos(angle) / canvas.size, dy = std::sin(angle) / canvas.size;
  canvas.paint([&](float x, float y) {
    const float t = shade * (x * dx + y * dy);
    return Paint{{base[0] + t, base[1] + t, base[2] + t}, 1};
  });
}

// Half-transparent strokes and blobs, smaller than any figure.
void paint_clutter(Canvas& canvas, Draw& draw, int count) {
  const auto size = static_cast<float>(canvas.size);
  for (int i = 0; i < count; ++i) {
    const Color color = random_color(draw);
    const float cx = draw(0, size), cy = draw(0, size), angle = draw(0, std::numbers::pi_v<float>);
    const float length = draw(0, 0.1f) * size, radius = draw(0.02f, 0.055f) * size,
                opacity = draw(0.3f, 0.7f);
    const float dx = std::cos(angle), dy = std::sin(angle);
    canvas.paint([&](float x, float y) {
      const float along = std::clamp((x - cx) * dx + (y - cy) * dy, -length, length);
      const float u = x - cx - along * dx, v = y - cy - along * dy;
      const float distance = std::sqrt(u * u + v * v) - radius;
      return Paint{color, opacity * std::clamp(0.5f - distance, 0.f, 1.f)};
    });
  }
}

void paint_shape(Canvas& canvas, Draw& draw, const Shape& shape, const Color& background) {
  const auto size = static_cast<float>(canvas.size);
  const Color first = contrasting(draw, background), second = contrasting(draw, first);
  const float radius = draw(0.2f, 0.36f) * size, angle = draw(0, 2 * std::numbers::pi_v<float>);
  const float cx = draw(0.3f, 0.7f) * size, cy = draw(0.3f, 0.7f) * size;
  const float c = std::cos(angle) / radius, s = std::sin(angle) / radius;
  canvas.paint([&](float x, float y) {
    const float u = c * (x - cx) + s * (y - cy), v = c * (y - cy) - s * (x - cx);
    const float cover = std::clamp(0.5f - shape.distance(u, v) * radius, 0.f, 1.f);
    if (cover == 0 || !shape.pattern) return Paint{first, cover};
    const float mix = std::clamp(0.5f + shape.pattern(u, v) * radius / 6, 0.f, 1.f);
    Color color;
    for (int i = 0; i < 3; ++i) color[i] = second[i] + mix * (first[i] - second[i]);
    return Paint{color, cover};
  });
}

// The sum of four bytes, centred and scaled to standard deviation 1: near enough to a normal number, and
// exact.
float noise_value(uint32_t word) {
  const int sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
  return static_cast<float>(sum - 510) / 147.8f;
}

Image to_image(const Canvas& canvas, Split split, int64_t i, float noise) {
  Image out(canvas.size, canvas.size);
  kernels::Philox4 words{};
  const uint64_t first = static_cast<uint64_t>(i) * blocks + noise_block;
  for (size_t k = 0; k < out.rgb.size(); ++k) {
    if (k % 4 == 0)
      words = kernels::philox(seed, kernels::Stream::synthetic, static_cast<uint32_t>(split), first + k / 4);
    const float v = canvas.pixels[k / 3][k % 3] + noise * noise_value(words[k % 4]);
    out.rgb[k] = static_cast<uint8_t>(std::clamp(v, 0.f, 1.f) * 255 + 0.5f);
  }
  return out;
}

class Synthetic : public Dataset {
 public:
  Synthetic(const DataConfig::Synthetic& options, Split split) : options_(options), split_(split) {
    for (int c = 0; c < options.classes; ++c) names_.push_back(shapes[c].name);
  }
  int64_t size() const override { return split_ == Split::train ? options_.train : options_.test; }
  const std::vector<std::string>& class_names() const override { return names_; }
  int32_t label(int64_t i) const override { return static_cast<int32_t>(i % options_.classes); }
  std::string describe(int64_t i) const override { return "synthetic picture " + std::to_string(i); }

  Image image(int64_t i, int) const override {
    Draw draw(split_, i);
    Canvas canvas{options_.size, std::vector<Color>(size_t(options_.size) * options_.size)};
    const Color background = random_color(draw);
    paint_background(canvas, draw, background);
    paint_clutter(canvas, draw, 5);
    paint_shape(canvas, draw, shapes[label(i)], background);
    paint_clutter(canvas, draw, 2);
    return to_image(canvas, split_, i, static_cast<float>(options_.noise));
  }

  uint64_t fingerprint() const override {
    const double facts[] = {double(size()), double(options_.size), double(options_.classes), options_.noise,
                            double(split_ == Split::train)};
    const Image first = image(0, 0);  // changes with the way pictures are drawn
    return XXH3_64bits_withSeed(first.rgb.data(), first.bytes(), XXH3_64bits(facts, sizeof facts));
  }

 private:
  DataConfig::Synthetic options_;
  Split split_;
  std::vector<std::string> names_;
};

}  // namespace

std::shared_ptr<const Dataset> make_synthetic(const DataConfig::Synthetic& options, Split split) {
  return std::make_shared<Synthetic>(options, split);
}

}  // namespace eb::data
