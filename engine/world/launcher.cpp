#include "engine/world/launcher.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/error_codes.h"

namespace eb::engine {

static std::optional<int> number(const char* text) {
  int n = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), n);
  if (error != std::errc{} || *end) return std::nullopt;
  return n;
}

Launch launch_of(const Environment& variable) {
  const auto of = [&](const char* name) { return number(variable(name)); };
  if (const auto size = of("OMPI_COMM_WORLD_SIZE"))
    return {Launch::By::open_mpi, *size, of("OMPI_COMM_WORLD_RANK").value_or(-1)};
  const bool step = variable("SLURM_STEP_ID") && of("SLURM_PROCID");
  if (const auto rank = of("PMIX_RANK"))
    return {Launch::By::pmix, step ? of("SLURM_NTASKS").value_or(0) : 0, *rank};
  if (step && of("SLURM_NTASKS").value_or(1) > 1)
    return {Launch::By::slurm, *of("SLURM_NTASKS"), *of("SLURM_PROCID"), variable("PMI_RANK") != nullptr};
  return {};
}

static const char* with_pmix =
    "start them with srun --mpi=pmix (`srun --mpi=list` shows what this Slurm has)";

Launch launch_of_process() {
  return launch_of([](const char* name) { return static_cast<const char*>(std::getenv(name)); });
}

void check_wired(const Launch& launch) {
  if (launch.wired) return;
  throw Error(errors::launcher_disagrees,
              "srun started " + std::to_string(launch.size) +
                  " processes without MPI's interface to it: each would train alone",
              with_pmix);
}

void check_launch(const Launch& launch, int size) {
  if (launch.size <= 1 || size == launch.size) return;
  const bool slurm = launch.by != Launch::By::open_mpi;
  throw Error(errors::launcher_disagrees,
              "the launcher started " + std::to_string(launch.size) + " processes, but MPI sees " +
                  std::to_string(size) + (size == 1 ? ": each would train alone" : ""),
              slurm ? with_pmix : "mpirun and libmpi.so have to be of the same Open MPI");
}

std::string warning_of_binding(int cores, int machine_cores) {
  if (cores >= std::min(2, machine_cores)) return "";
  return "this rank is bound to " + std::to_string(cores) + " of the machine's " +
         std::to_string(machine_cores) +
         " cores, and so are the threads that read its images: start with mpirun --bind-to none";
}

}  // namespace eb::engine
