// The commands, one file each.
#pragma once
#include <string>
#include <vector>

#include "tools/cli/command.h"

namespace eb::tools {

std::vector<Command> commands();
std::string version_line();  // what --version prints

Command train_command();
Command watch_command();
Command eval_command();
Command draw_command();
Command compact_command();
Command export_command();
Command import_command();
Command inspect_command();
Command report_command();
Command bench_command();
Command compare_command();
Command config_command();
Command data_command();
Command doctor_command();
Command version_command();
Command bench_kernels_command();  // of bench
Command bench_policy_command();
Command bench_comm_command();
Command bench_scaling_command();

}  // namespace eb::tools
