#include "data/shapes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace eb::data {
namespace {

constexpr float pi = std::numbers::pi_v<float>;

float length(float x, float y) {
  return std::sqrt(x * x + y * y);
}

float disc(float x, float y) {
  return length(x, y) - 0.9f;
}
float ring(float x, float y) {
  return std::abs(length(x, y) - 0.7f) - 0.22f;
}
float square(float x, float y) {
  return std::max(std::abs(x), std::abs(y)) - 0.78f;
}

float triangle(float x, float y) {
  const float slanted = 0.8660254f * std::abs(x) + 0.5f * y;
  return std::max(slanted, -y) - 0.5f;
}

float plus(float x, float y) {
  const float a = std::max(std::abs(x), std::abs(y)), b = std::min(std::abs(x), std::abs(y));
  return std::max(a - 0.95f, b - 0.28f);
}

// Five points: folded into one half of a point, the edge is a line from the tip (1, 0) to the notch.
float star(float x, float y) {
  const float sector = 2 * pi / 5;
  float angle = std::atan2(y, x);
  angle = std::abs(angle - sector * std::round(angle / sector));
  const float radius = length(x, y);
  const float notch_x = 0.45f * std::cos(sector / 2), notch_y = 0.45f * std::sin(sector / 2);
  const float edge = length(1 - notch_x, notch_y);
  return ((radius * std::cos(angle) - 1) * notch_y + radius * std::sin(angle) * (1 - notch_x)) / edge;
}

float crescent(float x, float y) {
  return std::max(length(x, y) - 0.95f, 0.72f - length(x - 0.5f, y));
}
float bars(float x, float y) {
  return std::max(std::abs(x) - 0.9f, std::abs(std::abs(y) - 0.52f) - 0.26f);
}

float stripes(float x, float) {
  return std::sin(2.4f * pi * x);
}
float checks(float x, float y) {
  return std::sin(1.9f * pi * x) * std::sin(1.9f * pi * y);
}

}  // namespace

const std::array<Shape, 10> shapes = {{{"disc", disc, nullptr},
                                       {"square", square, nullptr},
                                       {"triangle", triangle, nullptr},
                                       {"plus", plus, nullptr},
                                       {"ring", ring, nullptr},
                                       {"star", star, nullptr},
                                       {"crescent", crescent, nullptr},
                                       {"bars", bars, nullptr},
                                       {"striped disc", disc, stripes},
                                       {"checked square", square, checks}}};

}  // namespace eb::data
