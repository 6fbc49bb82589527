/// The process that workers are forked from.
#pragma once

namespace roclip::bench {

inline constexpr int kNurserySocket = 3;

/// LibTorch takes half a second to load. So the supervisor starts one process that loads it and nothing else, no plugin
/// and no data, and forks from it whenever it wants a worker, in milliseconds. The worker becomes a child of the
/// supervisor (which must be a subreaper, prctl(2)) in a process group of its own, and dies with it.
///
/// Protocol on kNurserySocket, a sequenced-packet socket: one byte with three descriptors (task, log, events) asks for
/// a worker; the answer is its pid_t. Ends when the socket is closed. @return exit code, also of each worker
int nursery_main();

}  // namespace roclip::bench
