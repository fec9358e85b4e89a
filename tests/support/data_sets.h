// Tiny data sets in temporary folders.
#pragma once
#include <string>
#include <vector>

#include "data/data_config.h"
#include "engine/graph/graph.h"
#include "support/image_files.h"

namespace eb::test {

// CIFAR-10 records: label, then planes R, G, B. Pixel bytes of record r: r + plane * 50.
inline std::vector<uint8_t> cifar_records(const std::vector<int>& labels, int first = 0,
                                          int label_bytes = 1) {
  std::vector<uint8_t> bytes;
  for (size_t r = 0; r < labels.size(); ++r) {
    if (label_bytes == 2) bytes.push_back(7);
    bytes.push_back(static_cast<uint8_t>(labels[r]));
    for (int plane = 0; plane < 3; ++plane)
      bytes.insert(bytes.end(), 1024, static_cast<uint8_t>(first + r + plane * 50));
  }
  return bytes;
}

// Five files of two training records and three test records.
inline void write_cifar10(const std::filesystem::path& root) {
  for (int f = 0; f < 5; ++f)
    write_bytes(root / ("data_batch_" + std::to_string(f + 1) + ".bin"), cifar_records({f, f + 5}, 2 * f));
  write_bytes(root / "test_batch.bin", cifar_records({9, 0, 3}, 100));
}

// train/ and test/ with classes a, b, c: `per_class` JPEG files each (every third a PNG), blue = 60 * class +
// file.
inline void write_image_folder(const std::filesystem::path& root, int per_class, int width = 32,
                               int height = 32, int classes = 3) {
  for (const char* split : {"train", "test"})
    for (int c = 0; c < classes; ++c)
      for (int i = 0; i < per_class; ++i) {
        const auto image = gradient(width, height, 60 * c + i);
        const bool png = i % 3 == 2;
        write_bytes(root / split / std::string(1, static_cast<char>('a' + c)) /
                        (std::to_string(100 + i) + (png ? ".png" : ".jpg")),
                    png ? to_png(image) : to_jpeg(image));
      }
}

// The two nodes of a graph that the data must fit.
inline engine::Graph graph_of(int64_t classes, int64_t height = 32, int64_t width = 32) {
  engine::Graph g;
  g.nodes.resize(2);
  g.nodes[0].h = height;
  g.nodes[0].w = width;
  g.nodes[0].c = 3;
  g.nodes[1].c = classes;
  g.output = 1;
  return g;
}

}  // namespace eb::test
