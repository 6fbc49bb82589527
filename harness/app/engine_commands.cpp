#include <algorithm>

#include "harness/app/subcommands.h"
#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// Becomes the engine, which is told where plugins are, too.
[[noreturn]] void engine_task(const Invocation& invocation, Json task) {
  task["plugin_path"] = invocation.plugin_path;
  become_engine(task);
}

/// A subcommand that the engine does. What an option takes goes into the task, by the option's name.
struct EngineCommand {
  CLI::App* command;
  std::shared_ptr<Json> task;

  EngineCommand(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& summary,
                const std::vector<std::string>& examples)
      : command(add_command(parent, name, summary, examples)),
        task(std::make_shared<Json>(Json{{"task", parent.get_name() + " " + name}})) {
    command->callback([json = task, &invocation] { engine_task(invocation, *json); });
  }

  /// @param value default. @param key in the task; "" = as the option
  template <class Value>
  CLI::Option* add(const std::string& name, const std::string& what, const Value& value = {}, std::string key = "") {
    if (key.empty()) key = key_of(name);
    (*task)[key] = value;
    auto* option = command->add_option_function<Value>(
        name, [json = task, key](const Value& given) { (*json)[key] = given; }, what);
    if (value != Value{}) option->default_str(CLI::detail::to_string(value));
    return option;
  }
  CLI::Option* flag(const std::string& name, const std::string& what) {
    (*task)[key_of(name)] = false;
    return command->add_flag_callback(
        name, [json = task, key = key_of(name)] { (*json)[key] = true; }, what);
  }

 private:
  /// "limit_s" of "--limit-s"
  static std::string key_of(const std::string& name) {
    std::string key = name.substr(name.find_first_not_of('-'));
    std::ranges::replace(key, '-', '_');
    return key;
  }
};

using Texts = std::vector<std::string>;

void add_schema(CLI::App& app, Invocation& invocation) {
  auto* schema = add_command(app, "schema", "JSON Schema of a file, or of a plugin's entry in a matrix file",
                             {"matrix > matrix.schema.json", "plugin badnets", "result"});
  const auto what = std::make_shared<std::string>(), plugin = std::make_shared<std::string>();
  schema
      ->add_option("what", *what,
                   "matrix knows the plugins found; result is the file of a cell; conformance and audit are those of "
                   "`plugin test` and `audit`")
      ->required()
      ->check(CLI::IsMember({"matrix", "plugin", "result", "results", "status", "poison", "conformance", "audit"}));
  schema->add_option("id", *plugin, "of `schema plugin`")->type_name("PLUGIN");
  schema->callback([what, plugin, &invocation] {
    if ((*what == "plugin") == plugin->empty()) {
      throw Error(ErrorKind::kUsage, *what == "plugin"
                                         ? "schema plugin: which one? `roclip-bench plugin list` shows all"
                                         : "schema " + *what + ": takes no plugin, got " + *plugin);
    }
    if (*what == "matrix" || *what == "plugin") {
      engine_task(invocation, {{"task", "schema"}, {"plugin", plugin->empty() ? Json() : Json(*plugin)}});
    }
    invocation.code = schema_command(*what);
  });
}

void add_plugin(CLI::App& app, Invocation& invocation) {
  auto* plugin = add_command(app, "plugin", "list, describe, create and test attacks, defenses and metrics",
                             {"list", "info roclip", "new attack my_trigger", "test ./mine.so"});
  plugin->require_subcommand(1);

  auto* list =
      add_command(*plugin, "list", "list the plugins that were found and the files that were refused", {"", "--json"});
  const auto as_json = std::make_shared<bool>(false);
  list->add_flag("--json", *as_json, "as JSON");
  list->callback([as_json, &invocation] { invocation.code = plugin_list_command(invocation.plugin_path, *as_json); });

  EngineCommand info(*plugin, invocation, "info", "show the parameters with default, range, unit and source",
                     {"roclip", "badnets/2"});
  info.add<std::string>("id", "badnets, or badnets/2", "", "plugin")->required()->type_name("PLUGIN");
  info.flag("--json", "as JSON");

  EngineCommand validate(*plugin, invocation, "validate", "load plugin files; say what each is, or why it is refused",
                         {"build/plugins/attack/my_trigger.so"});
  validate.add<Texts>("file", "libraries", {}, "files")->required()->type_name("FILE");
  validate.flag("--json", "as JSON");

  struct New {
    std::string kind, name, folder;
  };
  const auto project = std::make_shared<New>();
  auto* create = add_command(*plugin, "new", "create a project with a small plugin to start from",
                             {"attack my_trigger", "defense my_defense --dir ~/my_defense"});
  create->add_option("kind", project->kind, "what it is")
      ->required()
      ->check(CLI::IsMember({"attack", "defense", "metric"}));
  create->add_option("name", project->name, "lower-case letters, digits and _")->required()->type_name("NAME");
  create->add_option("--dir", project->folder, "folder to write (default: ./NAME)")->type_name("FOLDER");
  create->callback(
      [project, &invocation] { invocation.code = plugin_new_command(project->kind, project->name, project->folder); });

  EngineCommand test(*plugin, invocation, "test",
                     "check that a plugin keeps its contract, on a small built-in data set",
                     {"./mine.so", "badnets --params '{\"target_class\": \"circle\", \"rate\": 0.1}'",
                      "roclip --only resumes_to_the_same_bits"});
  test.add<std::string>("plugin", "a library's file, or the name or id of a plugin that can be found")
      ->required()
      ->type_name("PLUGIN");
  test.add<std::string>("--params", "its parameters, a JSON object, as in a matrix file", "{}")->type_name("JSON");
  test.add<Texts>("--accept", "a check whose failure is accepted; may be given again")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  test.add<Texts>("--only", "run this check only; may be given again")->type_name("CHECK")->allow_extra_args(false);
  test.add<double>("--limit-s", "seconds that a check may take", 60)->type_name("S")->check(CLI::Range(1, 86400));
  test.flag("--json", "as JSON");
  test.command->callback([task = test.task, &invocation] {
    const std::string written = task->at("params");
    const Json params = parse_json(written, "--params", ErrorKind::kUsage);
    if (!params.is_object()) throw Error(ErrorKind::kUsage, "--params: expected a JSON object, got " + written);
    (*task)["params"] = params;
    engine_task(invocation, *task);
  });
}

void add_data(CLI::App& app, Invocation& invocation) {
  auto* data = add_command(app, "data", "prepare, list, show and clean data sets",
                           {"list", "prepare emoji", "show emoji", "clean"});
  data->require_subcommand(1);
  const auto add_name = [](EngineCommand& command) {
    command
        .add<std::string>("name", "emoji, scenes, openclipart, tuxpaint, fashion-mnist, iso-flags, or a matrix file",
                          "", "data")
        ->required()
        ->type_name("DATA");
  };
  EngineCommand prepare(*data, invocation, "prepare",
                        "prepare a data set, once, or all of `transfer`; `run` does it too",
                        {"emoji", "transfer", "matrix.json"});
  add_name(prepare);

  EngineCommand list(*data, invocation, "list", "list the data sets that come with the program, and the prepared files",
                     {"", "--json"});
  list.flag("--json", "as JSON");

  EngineCommand clean(*data, invocation, "clean",
                      "delete prepared files from the cache; without an option, only list them",
                      {"", "--unused-days 30", "--all --dry-run"});
  auto* unused = clean.add<std::int64_t>("--unused-days", "those that were not used for so long")
                     ->check(CLI::Range(0, 36500))
                     ->type_name("N");
  auto* everything = clean.flag("--all", "all of them")->excludes(unused);
  clean.flag("--dry-run", "only list them");
  clean.command->callback([task = clean.task, unused, everything, &invocation] {
    if (unused->count() + everything->count() == 0) (*task)["dry_run"] = true;
    if (unused->count() == 0) (*task)["unused_days"] = 30;
    engine_task(invocation, *task);
  });

  EngineCommand show(*data, invocation, "show", "write a contact sheet of images with their captions",
                     {"emoji", "matrix.json --split held_out --count 100 --png held-out.png"});
  add_name(show);
  show.add<std::string>("--split", "train or held_out", "train")->type_name("train|held_out");
  show.add<std::int64_t>("--count", "images", 48)->check(CLI::Range(1, 2000));
  show.add<std::uint64_t>("--seed", "seed of the random choice", 1)->type_name("N");
  show.add<std::string>("--png", "file to write", "contact-sheet.png")->type_name("FILE");
}

void add_poison(CLI::App& app, Invocation& invocation) {
  auto* poison = add_command(app, "poison", "export the poisons of an attack for other programs, and import theirs",
                             {"make matrix.json --out poisons", "inspect poisons/badnets-s1",
                              "export poisons/badnets-s1 --out poisoned", "import poisons/badnets-s1"});
  poison->require_subcommand(1);

  EngineCommand make(*poison, invocation, "make", "write the poisons of each attack and seed as a folder: a poison set",
                     {"matrix.json --out poisons", "matrix.json --out poisons --only attack=badnets,seed=1"});
  make.add<std::string>("matrix", "matrix file")->required()->type_name("FILE");
  make.add<std::string>("--out", "folder for the sets")->required()->type_name("FOLDER");
  make.add<Texts>("--only",
                  "attack=, seed= as for `run`; terms joined by commas must all hold; may be given again for more")
      ->allow_extra_args(false)
      ->type_name("TERMS");

  const auto add_set = [](EngineCommand& command) {
    command.add<std::string>("set", "folder of a poison set")->required()->type_name("SET");
    command
        .add<std::string>("--data",
                          "the clean data: the name of a data set, or a matrix file (default: what the set names)")
        ->type_name("DATA");
  };
  EngineCommand inspect(*poison, invocation, "inspect", "show in numbers what a poison set changes",
                        {"poisons/badnets-s1", "poisons/badnets-s1 --json"});
  add_set(inspect);
  inspect.flag("--json", "as JSON");

  EngineCommand export_set(*poison, invocation, "export",
                           "write the whole poisoned data set as tables and PNG files, for other programs",
                           {"poisons/badnets-s1 --out poisoned"});
  add_set(export_set);
  export_set.add<std::string>("--out", "folder to write")->required()->type_name("FOLDER");

  EngineCommand import_set(*poison, invocation, "import", "check a poison set and print the matrix entry that runs it",
                           {"poisons/badnets-s1", "theirs --data matrix.json"});
  add_set(import_set);
}

void add_audit(CLI::App& app, Invocation& invocation) {
  EngineCommand audit(
      app, invocation, "audit",
      "look for duplicates, suspicious pairs and a backdoor in data that nobody is known to have attacked",
      {"matrix.json --out audit", "emoji --poisons poisons/badnets-s1 --filters local_outlier"});
  (*audit.task)["task"] = "audit";
  audit.add<std::string>("data", "a data set of ours, or a matrix file, whose data, model and training are then taken")
      ->required()
      ->type_name("DATA");
  audit.add<std::string>("--out", "folder for audit.json, audit.html and checkpoints", "audit")->type_name("FOLDER");
  audit.add<Texts>("--filters", "defenses whose scores of pairs are signals (default: every filter that was found)")
      ->delimiter(',')
      ->type_name("DEFENSES");
  audit.add<std::int64_t>("--epochs", "of the model that judges (default: of the matrix file, or 12)")
      ->check(CLI::Range(1, 100000))
      ->type_name("N");
  audit.add<std::int64_t>("--rows", "suspicious pairs that are shown", 60)->check(CLI::Range(1, 10000))->type_name("N");
  audit.add<std::string>("--poisons", "lay a poison set over the data, to see how many of its poisons are found")
      ->type_name("SET");
}

void add_model(CLI::App& app, Invocation& invocation) {
  EngineCommand embed(
      app, invocation, "embed", "embed images and captions by the weights of a cell, or of a model of open_clip's",
      {"--weights out/weights/<id>.safetensors --images photos --captions lines.txt --out e.safetensors",
       "--model ViT-B-32 --weights w.safetensors --images photos --out e.safetensors"});
  (*embed.task)["task"] = "embed";
  embed
      .add<std::string>(
          "--model",
          "a preset (RN50, ViT-B-32, ...) or a file of open_clip's, NAME.json (default: what the weights say)")
      ->type_name("MODEL");
  embed.add<std::string>("--weights", "its weights, as safetensors")->required()->type_name("FILE");
  embed.add<std::string>("--images", "folder of pictures, embedded in the order of their names")->type_name("FOLDER");
  embed.add<std::string>("--captions", "file with a caption a line")->type_name("FILE");
  embed.add<std::string>("--merges", "OpenAI's merges (default: those of the installed open_clip_torch)")
      ->type_name("FILE");
  embed.add<std::string>("--out", "file to write: \"image\" and \"text\", unit rows")->required()->type_name("FILE");
}

void add_comfort(CLI::App& app, Invocation& invocation) {
  const auto file = std::make_shared<std::filesystem::path>("matrix.json");
  auto* init = add_command(app, "init", "write a small matrix file with comments, to begin with", {"", "mine.json"});
  init->add_option("file", *file, "file to write (default: matrix.json)")->type_name("FILE");
  init->callback([file, &invocation] { invocation.code = init_command(*file); });

  const auto json = std::make_shared<bool>(false);
  auto* doctor =
      add_command(app, "doctor", "check that this machine has what a run needs; say how to fix what is missing",
                  {"", "--plugin-path my-plugins --json"});
  doctor->add_flag("--json", *json, "as JSON");
  doctor->callback([json, &invocation] { invocation.code = doctor_command(invocation.plugin_path, *json); });
}

}  // namespace

void add_engine_commands(CLI::App& app, Invocation& invocation) {
  add_plugin(app, invocation);
  add_schema(app, invocation);
  add_data(app, invocation);
  add_poison(app, invocation);
  add_audit(app, invocation);
  add_model(app, invocation);
  add_comfort(app, invocation);
}

}  // namespace roclip::bench
