// Libraries that are looked for when they are first needed: dlopen, so that programs start on machines that
// have none of them. Nothing here needs CUDA.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/library_error.h"
#include "kernels/reference.h"

namespace eb::kernels::cuda {

// Never unloaded: threads and handles that a library made may outlive every owner of ours.
class SharedLibrary {
 public:
  // The first of `names` that loads: file names, looked for as the dynamic linker does it (LD_LIBRARY_PATH,
  // the system's folders), or paths. LibraryError, which has what the linker said of each, if none does.
  SharedLibrary(std::string title, const std::vector<std::string>& names, std::string remedy);

  // The function of this name; LibraryError if the library has none.
  template <class F>
  F function(const char* name) const {
    return reinterpret_cast<F>(symbol(name));
  }
  // LibraryError unless `found` is the major version that this build was compiled for.
  void check_major(int wanted, int found, const std::string& version) const;
  const std::string& path() const { return path_; }

 private:
  void* symbol(const char* name) const;
  std::string title_, remedy_, path_;  // "cuDNN 9"
  void* handle_ = nullptr;
};

// "libx.so.9", then the same file in `folder` unless that is empty.
std::vector<std::string> library_names(const std::string& file, const std::string& folder);

// The functions of a library, loaded by Api's constructor, or why there are none.
template <class Api>
struct FoundLibrary {
  std::unique_ptr<const Api> api;
  VendorLibrary library;

  explicit FoundLibrary(const std::vector<std::string>& names) {
    try {
      api = std::make_unique<const Api>(names);
      library.version = api->version;
    } catch (const LibraryError& e) {
      library.problem = e.what();
      library.remedy = e.remedy;
    }
  }
  const Api& get() const {
    if (!api) throw LibraryError(library.problem, library.remedy);
    return *api;
  }
};

}  // namespace eb::kernels::cuda
