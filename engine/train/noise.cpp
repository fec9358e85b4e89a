#include "engine/train/noise.h"

#include "kernels/elementwise.h"
#include "kernels/philox.h"

namespace eb::engine {

Tensor noise_images(const Graph& graph, int64_t n, DType dtype, float amplitude) {
  const Node& in = graph.nodes[0];
  const Tensor x = Tensor::empty({n, in.h, in.w, in.c});
  for (int64_t i = 0; i < x.size(); ++i) {
    const float u = kernels::uniform(kernels::philox(1, kernels::Stream::synthetic, 0, i)[0]);
    x.data<float>()[i] = amplitude * (2 * u - 1);
  }
  if (dtype == DType::f32) return x;
  Tensor images = Tensor::empty(x.shape(), dtype);
  kernels::elementwise(x.device()).cast(x.size(), DType::f32, x.raw(), dtype, images.raw());
  return images;
}

Batch noise_batch(const Graph& graph, int64_t n, DType dtype, float amplitude) {
  Batch batch{noise_images(graph, n, dtype, amplitude), Tensor::empty({n}, DType::i32),
              std::vector<int64_t>(static_cast<size_t>(n))};
  const int64_t classes = graph.nodes[graph.output].c;
  for (int64_t i = 0; i < n; ++i) batch.labels.data<int32_t>()[i] = static_cast<int32_t>(i % classes);
  return batch;
}

}  // namespace eb::engine
