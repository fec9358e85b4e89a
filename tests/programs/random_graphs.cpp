// random_graphs FIRST COUNT CLASSES SIZE: graphs of these seeds for images of 3 * SIZE * SIZE, a line each.
// For tests.
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "support/random_graph.h"

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: random_graphs FIRST COUNT CLASSES SIZE\n";
    return 2;
  }
  const int64_t first = std::atoll(argv[1]), count = std::atoll(argv[2]);
  for (int64_t seed = first; seed < first + count; ++seed) {
    eb::test::Choices choices(static_cast<uint64_t>(seed));
    std::cout << eb::test::random_graph(choices, std::atoll(argv[3]), std::atoll(argv[4])) << '\n';
  }
}
