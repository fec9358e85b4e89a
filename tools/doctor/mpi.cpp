#include "tools/doctor/mpi.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "engine/base/text.h"
#include "kernels/cuda/library/shared_library.h"
#include "tools/doctor/built_mpi.h"

namespace eb::tools {

namespace {

std::string on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = folder + "/" + program;
    if (!folder.empty() && access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file)) return file;
  }
  return "";
}

// The first line that a program prints, in ten seconds at most; "" if it prints none.
std::string first_line_from(const std::string& program, const std::string& argument) {
  const std::string command = "timeout 10 " + engine::shell_word(program) + " " + argument + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  char line[256] = "";
  if (!pipe || !std::fgets(line, sizeof line, pipe.get())) return "";
  const std::string text = line;
  return text.substr(0, text.find('\n'));
}

// MPI_Get_library_version, which may be called before MPI_Init; its text may be of several lines.
std::string library_version(const kernels::cuda::SharedLibrary& library) {
  char text[8192] = "";  // more than any MPI_MAX_LIBRARY_VERSION_STRING
  int length = 0;
  library.function<int (*)(char*, int*)>("MPI_Get_library_version")(text, &length);
  const std::string version = text;
  return version.substr(0, version.find_first_of(",\n"));
}

}  // namespace

MpiFacts read_mpi(const std::vector<std::string>& names) {
  MpiFacts mpi{.built = built::mpi, .launcher = on_path("mpirun")};
  if (!mpi.launcher.empty()) mpi.launcher_version = first_line_from(mpi.launcher, "--version");
  try {
    mpi.library = library_version(kernels::cuda::SharedLibrary("MPI's library", names, ""));
  } catch (const kernels::LibraryError& e) {
    mpi.no_library = e.what();
  }
  return mpi;
}

// Several cards are what several ranks are for; a cluster of CPUs cannot be seen from here.
Line mpi_line(const MpiFacts& mpi, int cards) {
  const bool launcher = !mpi.launcher.empty(), library = mpi.no_library.empty();
  const std::string install = "install Open MPI (Debian: openmpi-bin and libopenmpi-dev)";
  if (!launcher && !library) {
    const std::string saw = "no mpirun on PATH, no library: one process, one card";
    return cards > 1 || mpi.built ? warning("MPI", saw, install + "; several cards need it") : ok("MPI", saw);
  }
  const std::string saw = fmt::format(
      "{}, {}, this build {}",
      launcher ? engine::printable(fmt::format("{} ({})", mpi.launcher, mpi.launcher_version))
               : "no mpirun on PATH",
      library ? engine::printable(mpi.library) : mpi.no_library, mpi.built ? "uses it" : "does not use it");
  if (!launcher || !library)
    return warning("MPI", saw, install + " whole, or put its bin on PATH and its lib on LD_LIBRARY_PATH");
  if (mpi.launcher_version.empty())
    return warning("MPI", saw, mpi.launcher + " --version says nothing: run it by hand to see why");
  if (!mpi.built && cards > 1)
    return warning("MPI", saw, "for several cards build where libopenmpi-dev is installed");
  return ok("MPI", saw);
}

}  // namespace eb::tools
