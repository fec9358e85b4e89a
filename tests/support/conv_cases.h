// Convolution shapes: small awkward ones for correctness, and the layers of real networks for timing.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "kernels/conv2d.h"

namespace eb::test {

struct ConvCase {
  std::string name;
  kernels::Conv2d::Params p;
  double flops() const { return 2.0 * p.n * p.out_h() * p.out_w() * p.k * p.r * p.s * (p.c / p.groups); }
  friend std::ostream& operator<<(std::ostream& out, const ConvCase& c) { return out << c.name; }
};

std::vector<ConvCase> conv_cases();
// Every distinct convolution of the network on CIFAR (VGG16, PreResNet-101) or ImageNet (ResNet-18) images.
std::vector<ConvCase> vgg16_convs(int64_t batch);
std::vector<ConvCase> vgg16_quarter_convs(int64_t batch);  // a quarter of the channels
std::vector<ConvCase> preresnet101_convs(int64_t batch);
std::vector<ConvCase> resnet18_convs(int64_t batch);

}  // namespace eb::test
