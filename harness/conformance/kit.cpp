#include "harness/conformance/kit.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <utility>

#include <stdlib.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <boost/algorithm/string/join.hpp>

#include "harness/conformance/built_in.h"
#include "harness/conformance/check.h"
#include "harness/conformance/child.h"
#include "harness/record/files.h"
#include "registry.h"

namespace roclip::bench::conformance {

namespace {

namespace fs = std::filesystem;

/// How a check ended, as the report has it. Statuses: pass, fail, skip, accepted (failed, and the user said that it
/// may).
Json outcome(const char* status, const std::string& measured, const std::string& fix = "",
             const Json& values = Json::object()) {
  return {{"status", status}, {"measured", measured}, {"fix", fix}, {"values", values}};
}

Json failed(const std::string& seen, const std::string& fix) { return outcome("fail", seen, fix); }

/// The folder of checkpoints, for the time of a run.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "roclip-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorKind::kData, name + ": cannot be created; set TMPDIR to a writable folder");
    }
    path_ = name;
  }
  ~Scratch() {
    std::error_code none;
    fs::remove_all(path_, none);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  fs::path make(const std::string& name) const {
    fs::create_directories(path_ / name);
    return path_ / name;
  }

 private:
  fs::path path_;
};

/// A file is meant by its path; a name or an id is looked up among stamps, so that no code of other plugins runs.
fs::path find_file(const std::string& plugin, const std::vector<fs::path>& search_path) {
  if (plugin.ends_with(".so") || plugin.find_first_of('/') == 0 || plugin.starts_with(".")) {
    expect_plugin_file(plugin);
    return fs::canonical(plugin);
  }
  std::vector<fs::path> found, refused_too;
  std::vector<std::string> names;
  for (const auto& [file, stamp, refused] : stamped_plugins(search_path)) {
    names.push_back(stamp.name());
    if (stamp.name() != plugin && stamp.id != plugin && file.stem() != plugin) continue;
    const bool fits = refused.empty() || refused == needs_sanitizer(stamp);
    (fits ? found : refused_too).push_back(file);
  }
  if (found.empty()) found = refused_too;  // which says why
  if (found.size() == 1) return found.front();
  std::string files;
  for (const auto& file : found) files += "\n  " + file.string();
  throw Error(ErrorKind::kPlugin, found.empty()
                                      ? "unknown plugin \"" + plugin + "\"" + did_you_mean(plugin, names) +
                                            "; `roclip-bench plugin list` shows all; for your own, give the file"
                                      : "several plugins are named \"" + plugin + "\"; give the file:" + files);
}

const std::vector<Check>& checks_of(std::string_view kind) {
  return kind == "attack" ? attack_checks() : kind == "defense" ? defense_checks() : metric_checks();
}

/// In a child: the plugin of that file. @throws ContractViolation if it does not pass the handshake
const PluginDescriptor& load(const fs::path& file) {
  static const Registry registry({file});  // as long as the process: it owns the library
  if (registry.plugins().empty()) {
    throw ContractViolation("it " + registry.refused().at(0).reason,
                            "build it with roclip_add_plugin(), and with the compiler and LibTorch of this program");
  }
  return *registry.plugins().front().descriptor;
}

/// In a child: an outcome whatever is thrown.
Json guarded_outcome(const std::function<Json()>& work, const std::string& classes) {
  try {
    return work();
  } catch (const ContractViolation& e) {
    return failed(e.what(), e.fix());
  } catch (const Diverged& e) {
    return failed(e.what(), "look for a logarithm or a square root of zero, and for a division by zero");
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kMatrix) return failed(e.what(), "");
    return failed(e.what(),
                  "pass parameters that fit the built-in data with --params '{...}'; its classes are " + classes);
  } catch (const c10::Error& e) {
    return failed(std::string("LibTorch says: ") + e.what_without_backtrace(), "check shapes and types");
  } catch (const std::exception& e) {
    return failed(std::string("it throws: ") + e.what(),
                  "a plugin may throw only roclip::Error, with a message for whoever wrote the matrix file");
  } catch (...) {
    return failed("it throws something that is not a std::exception", "throw roclip::Error");
  }
}

/// Thrown where this process was told to end: Ctrl-C and its kin.
struct Told {
  int signal;
};

/// How a child ended; a crash is an outcome, too.
Json outcome_of(const ChildEnd& end) {
  if (end.signal != 0) throw Told{end.signal};
  if (end.result) return *end.result;
  const auto seen = end.how + (end.output.empty() ? "" : "; it printed:\n" + end.output);
  if (end.took_too_much) {
    return failed(seen, "look for a loop or an allocation that does not end; if it is only slow, raise --limit-s");
  }
  const bool told = end.output.find("Sanitizer: ") != std::string::npos;
  return failed(
      seen,
      told ? "look at the lines of your source that the report names"
           : "build it with -fsanitize=address or -fsanitize=thread and test it again to see where; do not write to "
             "images of a data set: they are read-only memory");
}

/// One plugin under test: runs checks, tells each as it ends, keeps all.
class Test {
 public:
  Test(const fs::path& file, const std::string& sanitizer, const Json& task)
      : file_(file),
        accept_(task.at("accept")),
        only_(task.at("only")),
        limit_s_(task.at("limit_s")),
        json_(task.at("json")),
        data_(built_in_data()) {
    for (const auto& info : data_.classes) classes_.push_back(info.name);
    report_ = {{"schema_version", 1},
               {"plugin", {{"file", file}, {"sanitizer", sanitizer}}},
               {"params", task.at("params")},
               {"data",
                {{"pairs", data_.train->size()},
                 {"probe", data_.probe.size()},
                 {"held_out", data_.held_out.size()},
                 {"image_px", data_.train->image_px()},
                 {"classes", classes_}}}};
  }

  int run() {
    const Json loaded = in_process([&] {
      const auto& plugin = load(file_);
      return outcome("pass", "ABI " + std::to_string(plugin.abi), "",
                     {{"kind", to_string(plugin.kind)}, {"id", plugin.id}, {"summary", plugin.summary}});
    });
    const std::vector<Check> none;
    const auto& checks =
        loaded.at("status") == "pass" ? checks_of(loaded.at("values").at("kind").get<std::string>()) : none;
    if (&checks != &none) known_names_only(checks);
    print_head(loaded.at("values"));
    tell({"loads", "The library passes the handshake.", {}, nullptr}, loaded);
    for (const auto& check : checks) {
      if (only_.empty() || contains(only_, check.name)) run(check);
    }
    const bool ok = count("fail") == 0;
    if (json_) {
      report_["verdict"] = ok ? "pass" : "fail";
      std::cout << report_.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    } else {
      std::printf("%d passed, %d failed, %d skipped, %d accepted\n", count("pass"), count("fail"), count("skip"),
                  count("accepted"));
    }
    return ok ? 0 : static_cast<int>(ErrorKind::kPlugin);
  }

 private:
  static bool contains(const std::vector<std::string>& list, const std::string& name) {
    return std::ranges::find(list, name) != list.end();
  }

  void run(const Check& check) {
    const auto missing =
        std::ranges::find_if(check.needs, [&](const auto& name) { return ended_.contains(name) && !stands(name); });
    if (missing != check.needs.end()) {
      return tell(check, outcome("skip", "needs " + *missing + ", which did not pass"));
    }
    Json ended = outcome_of_check(check);
    if (check.in_two_processes && ended["status"] == "pass") {
      const Json first = std::exchange(ended, outcome_of_check(check));
      if (ended["status"] == "pass" && ended["values"] != first["values"]) {
        ended.update(failed("a second process gets a different result",
                            "use no clock, no std::random_device and no address, not even to initialize a static"));
      }
    }
    if (ended["status"] == "fail" && contains(accept_, check.name)) ended["status"] = "accepted";
    tell(check, std::move(ended));
  }

  /// Works in a process of its own.
  Json in_process(const std::function<Json()>& work) const {
    const auto end = in_child([&] { return guarded_outcome(work, boost::join(classes_, ", ")); }, limit_s_, signals_);
    Json ended = outcome_of(end);
    ended["wall_s"] = end.wall_s;
    return ended;
  }
  Json outcome_of_check(const Check& check) const {
    const auto scratch = scratch_.make(check.name);
    return in_process([&] {
      const auto finding = check.run({load(file_), report_.at("params"), data_, scratch});
      return outcome(finding.skipped ? "skip" : "pass", finding.measured, "", finding.values);
    });
  }

  bool stands(const std::string& name) const { return ended_.at(name) == "pass" || ended_.at(name) == "accepted"; }

  int count(const std::string& status) const {
    return static_cast<int>(std::ranges::count(ended_, status, [](const auto& entry) { return entry.second; }));
  }

  /// @throws Error(kUsage) if --accept or --only names a check that this kind of plugin does not have
  void known_names_only(const std::vector<Check>& checks) const {
    std::vector<std::string> names;
    for (const auto& check : checks) names.push_back(check.name);
    for (const auto& [option, list] : {std::pair("--accept", &accept_), std::pair("--only", &only_)}) {
      for (const auto& name : *list) {
        if (contains(names, name)) continue;
        throw Error(ErrorKind::kUsage, std::string(option) + ": unknown check \"" + name + "\"" +
                                           did_you_mean(name, names) + " (known: " + boost::join(names, ", ") + ")");
      }
    }
  }

  void print_head(const Json& plugin) {
    report_["plugin"].update(plugin);
    if (json_) return;
    if (!plugin.empty()) {
      std::printf("%s %s: %s\n", plugin.at("kind").get<std::string>().c_str(),
                  plugin.at("id").get<std::string>().c_str(), plugin.at("summary").get<std::string>().c_str());
    }
    std::printf("  file    %s\n  params  %s\n  data    %lld pairs, %lld held-out images, %lld px; classes %s\n",
                file_.c_str(), report_.at("params").dump().c_str(), static_cast<long long>(data_.train->size()),
                static_cast<long long>(data_.held_out.size()), static_cast<long long>(data_.train->image_px()),
                boost::join(classes_, ", ").c_str());
    if (const std::string sanitizer = report_["plugin"]["sanitizer"]; !sanitizer.empty()) {
      std::printf("  with    %s\n", sanitizer.c_str());
    }
  }

  void tell(const Check& check, Json ended) {
    const std::string status = ended.at("status");
    ended_[check.name] = status;
    ended["name"] = check.name;
    ended["asks"] = check.asks;
    ended.emplace("wall_s", 0.0);
    report_["checks"].push_back(ended);
    if (json_) return;
    std::printf("%-8s  %-31s %s\n", status == "fail" ? "FAIL" : status.c_str(), check.name.c_str(),
                ended.at("measured").get<std::string>().c_str());
    if (status == "fail" || status == "accepted") {
      std::printf("%10sasked: %s\n", "", check.asks.c_str());
      const std::string fix = ended.at("fix");
      if (!fix.empty()) std::printf("%10sto fix: %s\n", "", fix.c_str());
    }
    std::fflush(stdout);
  }

  fs::path file_;
  std::vector<std::string> accept_, only_;
  double limit_s_;
  bool json_;
  Dataset data_;
  std::vector<std::string> classes_;
  Signals signals_;
  Scratch scratch_;
  std::map<std::string, std::string> ended_;  ///< name of a check -> status
  Json report_;
};

}  // namespace

int plugin_test(const Json& task) {
  at::set_num_threads(1);  // and no thread may run before fork()
  const auto file = find_file(task.at("plugin"), plugin_search_path(task.at("plugin_path")));
  const auto stamp = read_stamp(file);
  const std::string sanitizer = stamp ? stamp->sanitizer : "";
  start_with_sanitizer(sanitizer, task);
  try {
    return Test(file, sanitizer, task).run();
  } catch (const Told& told) {  // with nothing left behind
    return 128 + told.signal;
  }
}

}  // namespace roclip::bench::conformance
