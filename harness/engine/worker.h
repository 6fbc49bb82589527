/// What happens inside a worker: a process that the nursery forked, with a task on standard input and descriptor 3 for
/// events, one JSON object a line.
#pragma once

namespace roclip::bench {

inline constexpr int kTaskDescriptor = 0;
inline constexpr int kEventDescriptor = 3;

/// Reads the task and does it.
///
/// {"task": "prepare", "matrix": its content, "file": its name, "out": folder, "plugin_path": [...], "device": "auto",
/// "make_data": bool} checks and expands a matrix file, prepares its data and lets every attack plan once. Events, in
/// this order:
///   {"devices": ["cpu"]}  {"warning": text}  {"cells": [...]}  {"progress": text, "done": n, "total": n}
///   {"data_hash": hex}  {"trainings": {id: key}}  {"trials": {attack: n}}
/// An attack that fails for a reason other than the matrix file becomes a "warning"; its cells will fail.
///
/// {"task": "cell", "cell": {...}, "out", "plugin_path", "device": "cpu", "checkpoint": {...}, "cpu": n or null,
///  "trace": file or null, "command": [...]} trains and evaluates one cell. Events:
///   {"epoch", "epochs", "step", "steps", "loss", "pairs_per_s"}  {"record": {...}} or {"interrupted": true}
/// SIGTERM asks it to write a checkpoint and end.
///
/// Either may end with {"error": {"kind": exit code, "message": text}}. @return exit code
int worker_main();

}  // namespace roclip::bench
