// The ten figures of the synthetic data set, as signed distances and two-colour patterns in the unit square.
#pragma once
#include <array>

namespace eb::data {

struct Shape {
  const char* name;
  float (*distance)(float x, float y);  // about the distance to the edge, negative inside
  float (*pattern)(float x, float y);  // first colour where positive, second where negative; null: one colour
};

extern const std::array<Shape, 10> shapes;

}  // namespace eb::data
