#include "tools/cli/commands.h"

namespace eb::tools {

std::vector<Command> commands() {
  return {
      train_command(),    // in the order that --help shows
      watch_command(),    //
      eval_command(),     //
      draw_command(),     //
      compact_command(),  //
      export_command(),   //
      import_command(),   //
      inspect_command(),  //
      report_command(),   //
      bench_command(),    //
      compare_command(),  //
      config_command(),   //
      data_command(),     //
      doctor_command(),   //
      version_command(),  //
  };
}

}  // namespace eb::tools
