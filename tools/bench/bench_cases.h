// What `bench kernels` times: the kernels of the four networks at their real shapes, dense and compacted.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/graph/arch/arch.h"
#include "kernels/conv2d.h"

namespace eb::tools {

struct BenchCase {
  std::string family, name;  // conv2d_forward, "vgg16 p=0.5 features.3 n256 ..."
  std::string shape;
  double flops = 0, bytes = 0;  // of one call; bytes read and written once each
  std::function<void()> run;
  std::function<void()> reference;  // what stands beside it, for the same work; empty if nothing does
  std::string beside = "library";   // what that is
  std::string refused;              // why nothing does, where something might
};

// What stands beside a case on a card: `make` gives the library's call, ready to be timed. Where the library
// refuses the shape, the case has the reason.
void put_beside(BenchCase& c, const std::string& name, const std::function<std::function<void()>()>& make);

struct BenchCasesConfig {
  kernels::Device device = kernels::Device::cpu;
  kernels::DType dtype = kernels::DType::bf16;
  int64_t batch_cifar = 256, batch_imagenet = 64;
};

// One of bench_networks(), compacted by a random ticket of the ratio (0: dense).
engine::Graph network_graph(const std::string& network, double prune);

// The distinct convolutions of a network, compacted by a random ticket of the ratio (0: dense), with the
// node's id. Shapes that repeat are listed once, with how often they occur.
struct NamedConv {
  std::string name;
  kernels::Conv2d::Params p;
  int64_t times = 1;
};
std::vector<NamedConv> network_convs(const std::string& network, double prune, int64_t batch,
                                     kernels::DType dtype);

// One direction of it: our kernel alone, and beside the library's.
BenchCase own_conv_case(kernels::Device device, const NamedConv& conv, kernels::Conv2d::Direction d,
                        const char* family);
BenchCase conv_case(kernels::Device device, const NamedConv& conv, kernels::Conv2d::Direction d,
                    const char* family);

// make() allocates the case's buffers; the case frees them when it is dropped.
struct LazyCase {
  std::string family, name;
  std::function<BenchCase()> make;
};
// (n, n) times (n, n) as a 1x1 convolution: the matrix rate of the device.
BenchCase matrix_product_case(kernels::Device device, kernels::DType dtype, int64_t n);

std::vector<LazyCase> bench_cases(const BenchCasesConfig& config);
// One direction of a convolution in int8, beside the one in the compute dtype.
inline constexpr kernels::Conv2d::Direction directions[] = {kernels::Conv2d::Direction::forward,
                                                            kernels::Conv2d::Direction::backward_data,
                                                            kernels::Conv2d::Direction::backward_weight};
void add_conv_case(const BenchCasesConfig& config, const NamedConv& conv, kernels::Conv2d::Direction d,
                   std::vector<LazyCase>& cases);
void add_int8_convs(const BenchCasesConfig& config, const NamedConv& conv, kernels::Conv2d::Direction d,
                    std::vector<LazyCase>& cases);
void add_grouped_convs(const BenchCasesConfig& config, std::vector<LazyCase>& cases);
void add_batch_norm_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases);
void add_layer_cases(const BenchCasesConfig& config,
                     std::vector<LazyCase>& cases);  // classifiers, pools, losses, updates
void add_memory_cases(const BenchCasesConfig& config,
                      std::vector<LazyCase>& cases);  // sums, orders of weights
void add_pruning_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases);  // masks, compaction
void add_quantize_cases(const BenchCasesConfig& config, std::vector<LazyCase>& cases);

struct BenchNetwork {
  const char* name;
  const char* arch;
  engine::ArchOptions options;
  std::vector<double> prunes = {0.0, 0.3, 0.5, 0.7};  // ratios of the tickets whose convolutions are timed
};
const std::vector<BenchNetwork>& bench_networks();

}  // namespace eb::tools
