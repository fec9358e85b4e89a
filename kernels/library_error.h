// A vendor's library that is not there, or that cannot do what it was asked. The device is well, and our own
// kernels can do it.
#pragma once
#include <stdexcept>
#include <string>

namespace eb::kernels {

class LibraryError : public std::runtime_error {
 public:
  explicit LibraryError(const std::string& what, std::string remedy = "")
      : std::runtime_error(what), remedy(std::move(remedy)) {}
  std::string remedy;  // what to do about it, for a user; may be empty
};

}  // namespace eb::kernels
