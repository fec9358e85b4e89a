// What a launcher's environment says of this process (mpirun, srun), before MPI is asked.
#pragma once
#include <functional>
#include <optional>
#include <string>

namespace eb::engine {

struct Launch {
  enum class By : uint8_t { nobody, open_mpi, pmix, slurm };
  By by = By::nobody;
  int size = 1;       // ranks that the launcher speaks of; 0: it does not say
  int rank = 0;       // -1: it does not say
  bool wired = true;  // it tells MPI how to find the others
  bool by_ranks() const { return by != By::nobody; }
};

// `variable` as ::getenv. A batch script's own environment (Slurm's, outside srun) is nobody's launch.
using Environment = std::function<const char*(const char*)>;
Launch launch_of(const Environment& variable);
Launch launch_of_process();  // of this one's environment

// Error 9008 for srun without an interface to MPI: MPI's own start would end the process with a text about
// how MPI was built.
void check_wired(const Launch& launch);

// Error 9008 if the launcher started several processes and MPI found `size` of them.
void check_launch(const Launch& launch, int size);

// What to say of a rank that may use `cores` of the machine's cores: mpirun binds each of two ranks to one
// core, and all its loader's threads with it. "" if that is no narrow share.
std::string warning_of_binding(int cores, int machine_cores);

}  // namespace eb::engine
