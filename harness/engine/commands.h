/// Commands that need plugins or data but train nothing: they print, and return an exit code. Each throws Error.
#pragma once

#include <string>

#include "harness/record/progress.h"
#include "registry.h"

namespace roclip::bench {

/// The effective configuration of the data that `text` names: a data set of ours, or that of a matrix file.
Json data_named(const std::string& text);
/// The plugins on the task's "plugin_path".
Registry registry_of(const Json& task);
/// Lines about the preparation of data, on stderr.
Progress show_progress();

/// @param task {"task": "plugin info", "plugin": "my_trigger" or "my_trigger/1", of any kind, "plugin_path", "json"}
int plugin_info(const Json& task);
/// @param task {"task": "plugin validate", "files": [...], "json"}. @return 0, or 5 if one is refused
int plugin_validate(const Json& task);
/// @param task {"task": "schema", "plugin": id, or null for that of a matrix file, "plugin_path"}
int schema(const Json& task);
/// @param task {"task": "data prepare", "data": "emoji", ..., "transfer", which is several, or a matrix file,
/// whose data is then meant}
int data_prepare(const Json& task);
/// @param task {"task": "data list", "json": bool}
int data_list(const Json& task);
/// @param task {"task": "data clean", "all": bool, "unused_days": n, "dry_run": bool}
int data_clean(const Json& task);
/// @param task {"task": "data show", "data", "split", "count", "seed", "png"}
int data_show(const Json& task);
/// @param task {"task": "poison make", "matrix", "out", "only": [...], "plugin_path": [...]}
int poison_make(const Json& task);
/// @param task {"task": "poison inspect", "set", "data": "" or as for `data prepare`, "json", "plugin_path"}
int poison_inspect(const Json& task);
/// @param task {"task": "poison export", "set", "data", "out", "plugin_path"}
int poison_export(const Json& task);
/// @param task {"task": "poison import", "set", "data", "plugin_path"}
int poison_import(const Json& task);

/// Writes audit.json and audit.html into a folder, prints the rest (audit.h). @param task {"task": "audit", "data" as
/// for `data prepare`, "poisons": a poison set or "", "filters": [...] or [] for all, "epochs": 0 for those of the
/// data's matrix file, "rows", "out", "plugin_path"}
int audit_data(const Json& task);

/// Writes "image" and "text", f32 [N, D] unit rows, as safetensors: of a folder's images in the order of their names,
/// of the captions a file has a line each. @param task {"task": "embed", "model", "weights", "images", "captions",
/// "merges", "out"}; "" for what is not there, or what the weights say
int embed(const Json& task);

/// Looks at LibTorch, its BLAS, the processor, GPUs, plugins and data sets. Prints kFindings and findings as JSON, on a
/// line of their own (harness/record/protocol.h). @param task {"task": "doctor", "plugin_path"}. @return 0
int doctor(const Json& task);
/// Speed of [m, k] x [k, n] in f32, with as many threads as LibTorch has.
double sgemm_gflops(std::int64_t m, std::int64_t n, std::int64_t k);

}  // namespace roclip::bench
