// The first SIGINT, SIGTERM or SIGUSR1 asks for a stop: the handler sets a flag and nothing else, the session
// looks at step boundaries. A second SIGINT or SIGTERM ends the process at once (130 or 143), with nothing
// saved.
#pragma once

namespace eb::engine {

void watch_stop_signals();
bool stop_signal_received();  // since watch_stop_signals()

}  // namespace eb::engine
