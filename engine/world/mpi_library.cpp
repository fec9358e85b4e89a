#include "engine/world/mpi_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::engine {

namespace fs = std::filesystem;

static Error no_mpi(const std::string& why, const std::string& remedy) {
  return Error(errors::no_mpi, "several ranks need MPI: " + why, remedy);
}

static const kernels::MpiCalls& load() {
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  fs::path module = folder / "libeb_mpi.so";
  if (!fs::exists(module, ignored)) module = folder / "../lib/libeb_mpi.so";  // of an installed one
  if (!fs::exists(module, ignored))
    throw no_mpi("this build has no libeb_mpi.so beside the program",
                 "install libopenmpi-dev and build again; without it one process trains alone");
  // Open MPI opens plugins that look for its symbols in the global scope.
  void* library = ::dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) throw no_mpi(::dlerror(), "install Open MPI's library, libopenmpi3 on Debian");
  const auto calls = reinterpret_cast<const kernels::MpiCalls* (*)()>(::dlsym(library, "eb_mpi_calls"));
  if (!calls) throw no_mpi(module.string() + " is of another build", "build again");
  return *calls();
}

const kernels::MpiCalls& mpi_calls() {
  static const kernels::MpiCalls& calls = load();
  return calls;
}

}  // namespace eb::engine
