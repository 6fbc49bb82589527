#include "harness/record/protocol.h"

namespace roclip::bench {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PrepareTask, matrix, file, out, plugin_path, device, make_data, supervisor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CellTask, cell, out, plugin_path, device, checkpoint, cpu, loader_threads, trace,
                                   keep_weights, command_line, ranks, work, supervisor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankTask, ranks, last, plugin_path, device, cpu, loader_threads, supervisor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DismissTask, ranks, supervisor)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Warning, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PrepareProgress, what, done, total)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DataReady, data_hash, data, trainings, pairs, checkpoints)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Planning, attack)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Planned, attack, trials)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanFailed, attack, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Finished, record)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Joined, work, cell)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TaskFailed, kind, message)

static void to_json(Json& json, const Expanded& event) {
  json = {{"devices", event.devices},
          {"cells_a_gpu", event.cells_a_gpu},
          {"cells", cells_to_json(event.cells)},
          {"builds", event.builds}};
}
static void from_json(const Json& json, Expanded& event) {
  json.at("devices").get_to(event.devices);
  json.at("cells_a_gpu").get_to(event.cells_a_gpu);
  event.cells = cells_from_json(json.at("cells"));
  json.at("builds").get_to(event.builds);
}

static void to_json(Json& json, const Stopped&) { json = Json::object(); }
static void from_json(const Json&, Stopped&) {}

namespace {

/// What `json` is by its name. @throws Error(kUsage) if it has none of the names
template <class... Kinds>
void read_named(const Json& json, const std::string& name, const char* what, std::variant<Kinds...>& result) {
  const auto read_if = [&]<class Kind>(const Kind*) {
    if (name != Kind::kName) return false;
    result = json.get<Kind>();
    return true;
  };
  if (!(read_if(static_cast<Kinds*>(nullptr)) || ...)) {
    throw Error(ErrorKind::kUsage, "unknown " + std::string(what) + " \"" + name + "\"");
  }
}

template <class... Kinds>
Json with_name(const std::variant<Kinds...>& message, const char* what) {
  const auto write = [&](const auto& kind) {
    Json json = kind;
    json[what] = kind.kName;
    return json;
  };
  return std::visit(write, message);
}

}  // namespace

std::string write_task(const Task& task) { return with_name(task, "task").dump(); }

Task read_task(const Json& json) {
  try {
    Task task;
    read_named(json, json.at("task"), "task", task);
    return task;
  } catch (const Json::exception& e) {
    throw Error(ErrorKind::kUsage, std::string("the task is not as harness/record/protocol.h wants it: ") + e.what());
  }
}

std::string write_event(const Event& event) {
  return with_name(event, "event").dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Event read_event(std::string_view line) {
  const Json json = Json::parse(line);
  Event event;
  read_named(json, json.at("event"), "event", event);
  return event;
}

}  // namespace roclip::bench
