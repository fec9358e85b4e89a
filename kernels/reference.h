// The vendor libraries' kernels on a device; null where this build or this machine has none. The libraries
// are looked for when one of these functions is first called, and a program starts without them.
#pragma once
#include <string>

#include "kernels/conv2d.h"
#include "kernels/linear.h"

namespace eb::kernels {

// A library as it was found.
struct VendorLibrary {
  std::string version;  // "9.19.0"; empty: there is none
  std::string problem;  // why there is none: what was looked for, and where
  std::string remedy;   // what to do about that
};
const VendorLibrary& cudnn_library();
const VendorLibrary& cublas_library();

namespace cuda {
extern const Conv2d cudnn_conv2d, cudnn_conv2d_measured;
extern const Linear cublas_linear;
const VendorLibrary& cudnn_library();
const VendorLibrary& cublas_library();
}  // namespace cuda

// For training: which algorithm runs depends on the shape alone, so a resumed run computes the same bits. A
// shape that the library cannot compute is a LibraryError.
const Conv2d* library_conv2d(Device);

// Yardsticks: the fastest that the library has, found by measuring. Also with LibraryErrors.
const Conv2d* reference_conv2d(Device);
const Linear* reference_linear(Device);

}  // namespace eb::kernels
