#include "harness/app/plugin_commands.h"
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

std::shared_ptr<bool> add_json(CLI::App* command, const std::string& what = "as JSON") {
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, what);
  return json;
}

void add_schema(CLI::App& app, Invocation& invocation) {
  auto* schema = add_command(app, "schema", "JSON Schema of a file, or of a plugin's entry in a matrix file",
                             {"matrix > matrix.schema.json", "plugin badnets", "result"});
  const auto what = std::make_shared<std::string>(), plugin = std::make_shared<std::string>();
  schema
      ->add_option("what", *what,
                   "matrix knows the plugins found; result is the file of a cell, conformance that of `plugin test`")
      ->required()
      ->check(CLI::IsMember({"matrix", "plugin", "result", "results", "status", "poison", "conformance"}));
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
  const auto list_json = add_json(list);
  list->callback(
      [list_json, &invocation] { invocation.code = plugin_list_command(invocation.plugin_path, *list_json); });

  const auto name = std::make_shared<std::string>();
  auto* info =
      add_command(*plugin, "info", "show the parameters with default, range, unit and source", {"roclip", "badnets/2"});
  info->add_option("id", *name, "badnets, or badnets/2")->required()->type_name("PLUGIN");
  const auto info_json = add_json(info);
  info->callback([name, info_json, &invocation] {
    engine_task(invocation, {{"task", "plugin info"}, {"plugin", *name}, {"json", *info_json}});
  });

  const auto files = std::make_shared<Paths>();
  auto* validate = add_command(*plugin, "validate", "load plugin files; say what each is, or why it is refused",
                               {"build/plugins/attack/my_trigger.so"});
  validate->add_option("file", *files, "libraries")->required()->type_name("FILE");
  const auto validate_json = add_json(validate);
  validate->callback([files, validate_json, &invocation] {
    engine_task(invocation, {{"task", "plugin validate"}, {"files", *files}, {"json", *validate_json}});
  });

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

  struct Test {
    std::string plugin, params = "{}";
    std::vector<std::string> accept, only;
    double limit_s = 60;
  };
  const auto options = std::make_shared<Test>();
  auto* test = add_command(*plugin, "test", "check that a plugin keeps its contract, on a small built-in data set",
                           {"./mine.so", "badnets --params '{\"target_class\": \"circle\", \"rate\": 0.1}'",
                            "roclip --only resumes_to_the_same_bits"});
  test->add_option("plugin", options->plugin, "a library's file, or the name or id of a plugin that can be found")
      ->required()
      ->type_name("PLUGIN");
  test->add_option("--params", options->params, "its parameters, a JSON object, as in a matrix file")
      ->type_name("JSON")
      ->capture_default_str();
  test->add_option("--accept", options->accept, "a check whose failure is accepted; may be given again")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  test->add_option("--only", options->only, "run this check only; may be given again")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  test->add_option("--limit-s", options->limit_s, "seconds that a check may take")
      ->type_name("S")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  const auto test_json = add_json(test);
  test->callback([options, test_json, &invocation] {
    const Json params = parse_json(options->params, "--params", ErrorKind::kUsage);
    if (!params.is_object()) {
      throw Error(ErrorKind::kUsage, "--params: expected a JSON object, got " + options->params);
    }
    engine_task(invocation, {{"task", "plugin test"},
                             {"json", *test_json},
                             {"plugin", options->plugin},
                             {"params", params},
                             {"accept", options->accept},
                             {"only", options->only},
                             {"limit_s", options->limit_s}});
  });
}

void add_data(CLI::App& app, Invocation& invocation) {
  auto* data = add_command(app, "data", "prepare, list, show and clean data sets",
                           {"list", "prepare emoji", "show emoji", "clean"});
  data->require_subcommand(1);

  struct Options {
    std::string name, split = "train", png = "contact-sheet.png";
    std::int64_t count = 48;
    std::uint64_t seed = 1;
  };
  const auto options = std::make_shared<Options>();
  const auto add_name = [&options](CLI::App* command) {
    command->add_option("name", options->name, "emoji, or a matrix file")->required()->type_name("DATA");
  };
  auto* prepare = add_command(*data, "prepare", "prepare a data set for training, once; `run` does it too",
                              {"emoji", "matrix.json"});
  add_name(prepare);
  prepare->callback([options, &invocation] {
    engine_task(invocation, {{"task", "data prepare"}, {"data", options->name}});
  });

  auto* list = add_command(*data, "list", "list the data sets that come with the program, and the prepared files",
                           {"", "--json"});
  const auto json = add_json(list);
  list->callback([json, &invocation] { engine_task(invocation, {{"task", "data list"}, {"json", *json}}); });

  struct Clean {
    std::int64_t unused_days = 30;
    bool all = false, dry_run = false;
  };
  const auto cleaning = std::make_shared<Clean>();
  auto* clean = add_command(*data, "clean", "delete prepared files from the cache; without an option, only list them",
                            {"", "--unused-days 30", "--all --dry-run"});
  auto* unused = clean->add_option("--unused-days", cleaning->unused_days, "those that were not used for so long")
                     ->check(CLI::Range(0, 36500))
                     ->type_name("N");
  auto* everything = clean->add_flag("--all", cleaning->all, "all of them")->excludes(unused);
  clean->add_flag("--dry-run", cleaning->dry_run, "only list them");
  clean->callback([cleaning, unused, everything, &invocation] {
    const bool chosen = unused->count() + everything->count() > 0;
    engine_task(invocation, {{"task", "data clean"},
                             {"all", cleaning->all},
                             {"unused_days", cleaning->unused_days},
                             {"dry_run", cleaning->dry_run || !chosen}});
  });

  auto* show = add_command(*data, "show", "write a contact sheet of images with their captions",
                           {"emoji", "matrix.json --split held_out --count 100 --png held-out.png"});
  add_name(show);
  show->add_option("--split", options->split, "train or held_out")->type_name("train|held_out")->capture_default_str();
  show->add_option("--count", options->count, "images")->check(CLI::Range(1, 2000))->capture_default_str();
  show->add_option("--seed", options->seed, "seed of the random choice")->type_name("N")->capture_default_str();
  show->add_option("--png", options->png, "file to write")->type_name("FILE")->capture_default_str();
  show->callback([options, &invocation] {
    engine_task(invocation, {{"task", "data show"},
                             {"data", options->name},
                             {"split", options->split},
                             {"count", options->count},
                             {"seed", options->seed},
                             {"png", options->png}});
  });
}

void add_poison(CLI::App& app, Invocation& invocation) {
  auto* poison =
      add_command(app, "poison", "export the poisons of an attack for other programs, and import theirs",
                  {"make matrix.json --out poisons", "inspect poisons/badnets-s1 --png sheet.png",
                   "export poisons/badnets-s1 --format webdataset --out shards", "import poisons/badnets-s1"});
  poison->require_subcommand(1);

  struct Options {
    std::string matrix, set, data, png, format = "csv", out;
    std::vector<std::string> only;
    std::int64_t count = 12;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  auto* make = add_command(*poison, "make", "write the poisons of each attack and seed as a folder: a poison set",
                           {"matrix.json --out poisons", "matrix.json --out poisons --only attack=badnets,seed=1"});
  make->add_option("matrix", options->matrix, "matrix file")->required()->type_name("FILE");
  make->add_option("--out", options->out, "folder for the sets")->required()->type_name("FOLDER");
  make->add_option("--only", options->only,
                   "attack=, seed= as for `run`; terms joined by commas must all hold; may be given again for more")
      ->allow_extra_args(false)
      ->type_name("TERMS");
  make->callback([options, &invocation] {
    engine_task(invocation,
                {{"task", "poison make"}, {"matrix", options->matrix}, {"out", options->out}, {"only", options->only}});
  });

  const auto add_set = [&options](CLI::App* command) {
    command->add_option("set", options->set, "folder of a poison set")->required()->type_name("SET");
    command
        ->add_option("--data", options->data, "the clean data: emoji, or a matrix file (default: what the set names)")
        ->type_name("DATA");
  };
  auto* inspect = add_command(*poison, "inspect", "show what a poison set changes, in numbers and pictures",
                              {"poisons/badnets-s1", "poisons/badnets-s1 --png sheet.png --count 24"});
  add_set(inspect);
  inspect->add_option("--png", options->png, "sheet to write: clean, poisoned, difference amplified, captions")
      ->type_name("FILE");
  inspect->add_option("--count", options->count, "rows of the sheet")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  inspect->add_flag("--json", options->json, "the numbers as JSON");
  inspect->callback([options, &invocation] {
    engine_task(invocation, {{"task", "poison inspect"},
                             {"set", options->set},
                             {"data", options->data},
                             {"png", options->png},
                             {"count", options->count},
                             {"json", options->json}});
  });

  auto* export_set = add_command(
      *poison, "export", "write the whole poisoned data set in the layout of other programs",
      {"poisons/badnets-s1 --format csv --out poisoned", "poisons/badnets-s1 --format webdataset --out shards"});
  add_set(export_set);
  export_set->add_option("--format", options->format, "csv: tables and PNG files; webdataset: tar shards")
      ->check(CLI::IsMember({"csv", "webdataset"}))
      ->capture_default_str();
  export_set->add_option("--out", options->out, "folder to write")->required()->type_name("FOLDER");
  export_set->callback([options, &invocation] {
    engine_task(invocation, {{"task", "poison export"},
                             {"set", options->set},
                             {"data", options->data},
                             {"format", options->format},
                             {"out", options->out}});
  });

  auto* import_set = add_command(*poison, "import", "check a poison set and print the matrix entry that runs it",
                                 {"poisons/badnets-s1", "theirs --data matrix.json"});
  add_set(import_set);
  import_set->callback([options, &invocation] {
    engine_task(invocation, {{"task", "poison import"}, {"set", options->set}, {"data", options->data}});
  });
}

}  // namespace

void add_engine_commands(CLI::App& app, Invocation& invocation) {
  add_plugin(app, invocation);
  add_schema(app, invocation);
  add_data(app, invocation);
  add_poison(app, invocation);
}

}  // namespace roclip::bench
