#include "harness/report/html.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "harness/record/files.h"
#include "harness/report/chart.h"
#include "harness/report/render.h"
#include "harness/report/significance.h"

namespace roclip::bench {

namespace {

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--page:#fcfcfb;--ink:#1f2328;--soft:#5b636e;--rule:#d9dce1;--card:#fff;--bad:196,43,28;--good:9,105,218;
--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#bf3989;--s5:#9a6700;--s6:#0e7490;--s7:#57606a}
@media(prefers-color-scheme:dark){:root{--page:#0f1216;--ink:#e6e9ee;--soft:#9aa4b2;--rule:#2e353f;--card:#161b22;--bad:248,81,73;
--good:56,139,253;--s0:#58a6ff;--s1:#f0883e;--s2:#3fb950;--s3:#bc8cff;--s4:#f778ba;--s5:#d9a514;--s6:#39c5cf;--s7:#9aa4b2}}
*{box-sizing:border-box}body{margin:0 auto;max-width:72rem;padding:1.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.7rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2.4rem 0 .4rem;border-top:1px solid var(--rule);padding-top:1.2rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}p,ul{max-width:46rem}.soft{color:var(--soft);font-size:.88rem}
.scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:3px;font-size:.92rem}th{text-align:left;font-weight:600;padding:.3rem .5rem}
td{padding:.45rem .6rem;border-radius:4px;vertical-align:top;min-width:7rem}td b{font-size:1.1rem;font-weight:600}
td small{display:block;color:var(--soft);white-space:nowrap}td.none{color:var(--soft);border:1px dashed var(--rule)}
.better b{text-decoration:underline;text-underline-offset:3px}.note{color:rgb(var(--bad));font-weight:400;font-size:.8rem;display:block;max-width:9rem}
.warning{color:rgb(var(--bad))}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
figure{margin:0;max-width:34rem;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.7rem .8rem;break-inside:avoid}
figcaption{font-weight:600;font-size:.92rem;margin-bottom:.3rem}svg{width:100%;height:auto;display:block;font:11px system-ui,sans-serif}
.grid{stroke:var(--rule)}.tick{fill:var(--soft)}.axis{fill:var(--ink)}.line{fill:none;stroke-width:2}.dashed.line{stroke-dasharray:5 4}
.bar{stroke-width:1.5;opacity:.55}.legend{font-size:.82rem;display:flex;flex-wrap:wrap;gap:.15rem .9rem}
.key{display:inline-block;width:1rem;border-top:3px solid;margin-right:.35rem;vertical-align:middle}.key.dashed{border-top-style:dashed}
.pictures{display:flex;flex-wrap:wrap;gap:.8rem}.picture{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.6rem;width:16rem;font-size:.82rem;break-inside:avoid}
.picture img{width:72px;height:72px;image-rendering:pixelated;border-radius:3px;margin-right:.4rem;vertical-align:top}
.picture table{font-size:.8rem;border-spacing:0 2px;width:100%}.picture td{padding:.05rem .2rem;min-width:0}.hit{color:rgb(var(--bad));font-weight:600}
.caption{width:11rem}details{margin:.4rem 0}summary{cursor:pointer}code{font-size:.82rem;user-select:all;overflow-wrap:anywhere}
@media print{body{max-width:none}details:not([open])>*{display:none}}
)";

/// Style of the colour classes of charts.
std::string colour_classes() {
  std::string css;
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    css += ".line.s" + n + ",.bar.s" + n + "{stroke:var(--s" + n + ")}circle.s" + n + "{fill:var(--s" + n + ")}.key.s" +
           n + "{border-color:var(--s" + n + ")}";
  }
  return css;
}

std::string h(const std::string& text) { return escape_xml(text); }

const Table* table_of(const Summary& summary, const std::string& name) {
  const auto found =
      std::ranges::find_if(summary.tables, [&](const Table& table) { return base_name(table.metric) == name; });
  return found == summary.tables.end() ? nullptr : &*found;
}

/// What a reader should take home: each attack against the first defense, and against the others.
std::string headline(const Summary& summary) {
  const auto* success = table_of(summary, "attack_success");
  if (success == nullptr) return "";
  std::string text;
  for (const auto& row : success->rows) {
    const Entry& reference = row.entries.front();
    if (reference.seeds.empty()) continue;
    text += "<li><b>" + h(row.attack) + "</b> succeeds in " + percent(reference.mean) + " % against " +
            h(reference.defense);
    for (std::size_t i = 1; i < row.entries.size(); ++i) {
      const Entry& entry = row.entries[i];
      if (!entry.seeds.empty()) text += (i == 1 ? "; " : ", ") + percent(entry.mean) + " % against " + h(entry.defense);
    }
    text += (row.note.empty() ? "" : " (" + row.note + ")") + ".</li>";
  }
  return text.empty() ? "" : "<ul>" + text + "</ul>";
}

std::string cell_html(const Entry& entry, const Table& table) {
  if (entry.seeds.empty()) {
    return "<td class=\"none\">" + h(entry.status == "ok" ? "-" : entry.status) + "<small>" +
           h(entry.reason.substr(0, 60)) + "</small></td>";
  }
  const auto& c = entry.against_reference;
  const bool better = c && c->significant() && (c->difference < 0) == table.lower_is_better;
  char colour[64];
  std::snprintf(colour, sizeof colour, "rgba(var(--%s),%.2f)", table.lower_is_better ? "bad" : "good",
                0.06 + 0.5 * entry.mean);
  std::string seeds;
  for (const auto& value : entry.seeds) {
    seeds += "seed " + std::to_string(value.seed) + ": " + std::to_string(value.count.hits) + "/" +
             std::to_string(value.count.trials) + "\n";
  }
  std::string below =
      entry.seeds.size() == 1
          ? std::to_string(entry.seeds[0].count.hits) + "/" + std::to_string(entry.seeds[0].count.trials)
          : std::to_string(entry.seeds.size()) +
                (entry.seeds.size() < entry.cells ? " of " + std::to_string(entry.cells) : "") + " seeds";
  char extra[96] = "";
  if (c) std::snprintf(extra, sizeof extra, "p %.2g, corrected %.2g", c->p, c->p_holm);
  return std::string("<td") + (better ? " class=\"better\"" : "") + " style=\"background:" + colour + "\" title=\"" +
         h(seeds) + "\"><b>" + percent(entry.mean) + " %</b><small>[" + percent(entry.interval.low) + ", " +
         percent(entry.interval.high) + "]</small><small>" + below + ", " + std::to_string(std::llround(entry.wall_s)) +
         " s</small><small>" + extra + "</small></td>";
}

std::string grids(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    text += "<h3>" + h(table.metric) + " <span class=\"soft\">" + (table.lower_is_better ? "lower" : "higher") +
            " is better</span></h3><div class=\"scroll\" tabindex=\"0\"><table><tr><th scope=\"col\">attack</th>";
    for (const auto& defense : summary.defenses) text += "<th scope=\"col\">" + h(defense) + "</th>";
    text += "</tr>";
    for (const auto& row : table.rows) {
      text += "<tr><th scope=\"row\">" + h(row.attack) +
              (row.note.empty() ? "" : "<span class=\"note\">" + h(row.note) + "</span>") + "</th>";
      for (const auto& entry : row.entries) text += cell_html(entry, table);
      text += "</tr>";
    }
    text += "</table></div>";
    if (const auto limit = detectable(table, summary.seeds.size()); !limit.empty()) {
      text += "<p class=\"soft\">" + h(limit) + ".</p>";
    }
  }
  return text;
}

/// Attack success against zero-shot accuracy, one chart an attack: the good corner is at the bottom right.
std::string trade_offs(const Summary& summary) {
  const auto *success = table_of(summary, "attack_success"), *accuracy = table_of(summary, "zero_shot");
  if (success == nullptr || accuracy == nullptr) return "";
  std::string text;
  for (std::size_t r = 0; r < success->rows.size(); ++r) {
    Chart chart{.title = success->rows[r].attack,
                .x_name = "zero-shot accuracy",
                .y_name = "attack success",
                .series = {},
                .x_shares = true,
                .x_ticks = {}};
    for (std::size_t d = 0; d < summary.defenses.size(); ++d) {
      const Entry &s = success->rows[r].entries[d], &a = accuracy->rows[r].entries[d];
      if (s.seeds.empty() || a.seeds.empty()) continue;
      const std::string label =
          s.defense + ": attack success " + percent(s.mean) + " %, zero-shot " + percent(a.mean) + " %";
      chart.series.push_back(
          {s.defense, {{a.mean, s.mean, a.interval, s.interval, label}}, false, false, static_cast<int>(d)});
    }
    if (!chart.series.empty()) text += render_svg(chart);
  }
  return text.empty()
             ? ""
             : "<h2>What a defense costs</h2><p>Each point is a defense, with intervals: the best corner is at "
               "the bottom right.</p><div class=\"charts\">" +
                   text + "</div>";
}

/// Means over seeds of what the stored cells of an attack and a defense say by epoch.
struct Curves {
  std::map<std::string, std::map<std::int64_t, std::pair<double, int>>> sums;  ///< name -> epoch -> sum and count

  void add(const Json& epoch, const std::string& name) {
    if (!epoch.contains(name) || !epoch.at(name).is_number()) return;
    auto& [sum, count] = sums[name][epoch.at("epoch").get<std::int64_t>()];
    sum += epoch.at(name).get<double>();
    ++count;
  }
  std::vector<ChartPoint> points(const std::string& name, const std::string& label) const {
    std::vector<ChartPoint> list;
    const auto found = sums.find(name);
    if (found == sums.end()) return list;
    for (const auto& [epoch, value] : found->second) {
      const double y = value.first / value.second;
      char text[64];
      std::snprintf(text, sizeof text, ", epoch %lld: %.3f", static_cast<long long>(epoch), y);
      list.push_back({static_cast<double>(epoch), y, {}, {}, label + text});
    }
    return list;
  }
};

/// All that the page needs of the stored cells, read once.
struct Stored {
  std::map<std::pair<std::string, std::string>, Curves> curves;  ///< (attack, defense)
  std::map<std::pair<std::string, std::string>, Json> examples;  ///< of the first seed that has them
  std::map<std::string, Json> pictures;                          ///< attack -> file beside the manifest
  std::map<std::string, Json> effective;                         ///< defense -> {"plugin", "params"}
  Json environment;

  explicit Stored(const Study& study) {
    for (std::int64_t i = 0; i < std::ssize(study.cells); ++i) {
      const Json record = study.record(i);
      if (record.is_null() || record.value("status", "") != "ok") continue;
      // Names as the study has them: two folders may use one for different configurations.
      const Json& cell = study.cells[static_cast<std::size_t>(i)];
      const std::string attack = cell.at("attack"), defense = cell.at("defense");
      for (const auto& epoch : record.at("training").at("epochs")) {
        for (const char* name : {"loss", "similarity_clean", "similarity_poisoned"})
          curves[{attack, defense}].add(epoch, name);
      }
      effective.try_emplace(defense, record.at("effective").at("defense"));
      if (environment.is_null()) environment = record.at("environment");
      if (!record.contains("examples") || record.at("examples").empty()) continue;
      std::filesystem::path file = study.folders[static_cast<std::size_t>(i)] / record.at("poison").at("manifest");
      file.replace_extension(".examples.json");
      if (!pictures.contains(attack) && std::filesystem::exists(file)) {
        pictures[attack] = read_json(file);
        pictures[attack]["seed"] = record.at("seed");
      }
      if (pictures.contains(attack) && pictures[attack]["seed"] == record.at("seed")) {
        examples.try_emplace({attack, defense}, record.at("examples"));
      }
    }
  }
};

std::string curves(const Study& study, const Stored& stored) {
  std::string text;
  for (const auto& attack : study.attacks) {
    std::string charts;
    Chart loss{.title = "loss", .x_name = "epoch", .y_name = "nats", .series = {}, .shares = false, .x_ticks = {}};
    int colour = 0;
    for (const auto& defense : study.defenses) {
      const auto found = stored.curves.find({attack, defense});
      const int own = colour++;
      if (found == stored.curves.end()) continue;
      loss.series.push_back({defense, found->second.points("loss", defense), true, false, own});
      const auto clean = found->second.points("similarity_clean", "clean");
      const auto poisoned = found->second.points("similarity_poisoned", "poisoned");
      if (clean.empty() || poisoned.empty()) continue;
      charts +=
          render_svg({.title = defense,
                      .x_name = "epoch",
                      .y_name = "cosine similarity",
                      .series = {{"clean pairs", clean, true, false, 0}, {"poisoned pairs", poisoned, true, true, 1}},
                      .shares = false,
                      .y_range = Interval{0, 1},
                      .x_ticks = {}});
    }
    if (loss.series.empty()) continue;
    text += "<h3>" + h(attack) + "</h3><div class=\"charts\">" + charts + render_svg(loss) + "</div>";
  }
  return text.empty() ? ""
                      : "<h2>Clean and poisoned pairs by epoch</h2><p>How similar the model finds an image and its "
                        "caption, mean over seeds: where a defense works, the poisoned pairs stay below the clean "
                        "ones.</p>" +
                            text;
}

/// Numeric parameters of one plugin that take three values or more while all others stay.
std::string sweeps(const Summary& summary, const Stored& stored) {
  const auto *success = table_of(summary, "attack_success"), *accuracy = table_of(summary, "zero_shot");
  std::set<std::string> parameters;
  for (const auto& [defense, choice] : stored.effective) {
    for (const auto& [key, value] : choice.at("params").items()) {
      if (value.is_number()) parameters.insert(key);
    }
  }
  std::string text;
  for (const auto& key : parameters) {
    std::map<std::string, std::map<double, std::string>> groups;  // the other parameters -> value -> defense
    for (const auto& defense : summary.defenses) {
      const auto found = stored.effective.find(defense);
      if (found == stored.effective.end() || !found->second.at("params").contains(key)) continue;
      Json others = found->second;
      others.at("params").erase(key);
      groups[others.dump()].try_emplace(found->second.at("params").at(key).get<double>(), defense);
    }
    for (const auto& [others, values] : groups) {
      if (values.size() < 3 || success == nullptr) continue;
      for (std::size_t r = 0; r < success->rows.size(); ++r) {
        ChartSeries attack{.name = "attack success", .points = {}, .colour = 1};
        ChartSeries clean{.name = "zero-shot", .points = {}, .colour = 0};
        std::vector<double> places;
        for (const auto& [value, defense] : values) {
          const auto column =
              static_cast<std::size_t>(std::ranges::find(summary.defenses, defense) - summary.defenses.begin());
          const auto add = [&, v = value](const Table* table, ChartSeries& series) {
            if (table == nullptr || table->rows[r].entries[column].seeds.empty()) return;
            const Entry& entry = table->rows[r].entries[column];
            series.points.push_back(
                {v, entry.mean, {}, entry.interval, entry.defense + ": " + percent(entry.mean) + " %"});
          };
          add(success, attack);
          add(accuracy, clean);
          places.push_back(value);
        }
        if (attack.points.size() < 3) continue;
        text += render_svg({.title = success->rows[r].attack + " by " + key,
                            .x_name = key,
                            .y_name = "share",
                            .series = {attack, clean},
                            .x_ticks = places,
                            .log_x = places.front() > 0 && places.back() / places.front() > 20});
      }
    }
  }
  return text.empty() ? "" : "<h2>One parameter at a time</h2><div class=\"charts\">" + text + "</div>";
}

std::string image(const Json& base64, const std::string& alt) {
  return base64.is_string()
             ? "<img src=\"data:image/png;base64," + h(base64.get<std::string>()) + "\" alt=\"" + h(alt) + "\">"
             : "";
}

std::string prediction(const Json& best, const std::string& wanted) {
  if (!best.is_array() || best.empty()) return "";
  const std::string name = best[0][0];
  const std::string text = h(name) + (best[0][1].is_number() ? " " + percent(best[0][1]) + " %" : "");
  return name == wanted ? "<span class=\"hit\">" + text + "</span>" : text;
}

std::string pictures(const Study& study, const Stored& stored) {
  std::string text;
  for (const auto& attack : study.attacks) {
    const auto found = stored.pictures.find(attack);
    if (found == stored.pictures.end()) continue;
    const Json& file = found->second;
    text += "<h3>" + h(attack) + "</h3><p class=\"soft\">Poisons in the training set</p><div class=\"pictures\">";
    for (const auto& poison : file.at("poisons")) {
      text += "<div class=\"picture caption\">" + image(poison.at("image"), "poisoned image") + "<br>" +
              h(poison.at("caption").get<std::string>()) + "</div>";
    }
    text +=
        "</div><p class=\"soft\">Test images, and what each model takes them for; the attacker's wish is red. Models "
        "of seed " +
        file.at("seed").dump() + ".</p><div class=\"pictures\">";
    for (std::size_t i = 0; i < file.at("items").size(); ++i) {
      const Json& item = file.at("items")[i];
      const std::string wanted = item.at("wanted");
      const bool triggered = item.at("triggered").is_string();
      text += "<div class=\"picture\">" + image(item.at("clean"), "clean test image") +
              image(item.at("triggered"), "the same with the trigger") + "<div>" +
              h(item.at("class").get<std::string>()) + ", wanted: " + h(wanted) + "</div><table>";
      for (const auto& defense : study.defenses) {
        const auto seen = stored.examples.find({attack, defense});
        if (seen == stored.examples.end() || seen->second.size() <= i) continue;
        const Json& example = seen->second[i];
        text += "<tr><td>" + h(defense) + "</td><td>" +
                (triggered ? prediction(example.at("triggered"), wanted) : prediction(example.at("clean"), wanted)) +
                "</td></tr>";
      }
      text += "</table></div>";
    }
    text += "</div>";
  }
  return text.empty() ? "" : "<h2>Seen with one's own eyes</h2>" + text;
}

std::string provenance(const Study& study, const Stored& stored) {
  std::string text = "<h2>Provenance</h2>";
  if (stored.environment.is_object()) {
    text += "<ul class=\"soft\">";
    for (const char* key : {"roclip_bench", "git", "cpu", "gpu", "libtorch", "blas", "compiler", "deterministic"}) {
      if (!stored.environment.contains(key)) continue;
      const Json& value = stored.environment.at(key);
      text +=
          std::string("<li>") + key + ": " + h(value.is_string() ? value.get<std::string>() : value.dump()) + "</li>";
    }
    text += "</ul>";
  }
  text += "<details><summary>" + counted(std::ssize(study.cells), "cell") +
          "; an option of <code>run</code>, with <code>--rerun</code>, runs one again</summary><div "
          "class=\"scroll\" tabindex=\"0\"><table>";
  for (const auto& cell : study.cells) {
    const std::string id = cell.at("id"), status = cell.at("status");
    const std::string reason = cell.at("reason").is_string() ? ": " + cell.at("reason").get<std::string>() : "";
    text += "<tr><td>" + h(cell.at("attack").get<std::string>() + " x " + cell.at("defense").get<std::string>()) +
            ", seed " + cell.at("seed").dump() + "</td><td>" + h(status + reason) + "</td><td><code>--only " + h(id) +
            "</code></td></tr>";
  }
  return text + "</table></div></details>";
}

}  // namespace

std::string render_html(const Study& study, const Summary& summary) {
  const Stored stored(study);
  const std::string problems = summary.problems.empty() && summary.missing == 0
                                   ? ""
                                   : "<p class=\"warning\">" + counted(std::ssize(summary.problems), "cell") +
                                         " did not end ok, " + std::to_string(summary.missing) +
                                         " are missing; the reasons stand with the cells below.</p>";
  return "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\">\n<title>" +
         h(summary.name) + "</title>\n<style>" + kStyle + colour_classes() + "</style>\n<h1>" + h(summary.name) +
         "</h1>\n<p class=\"soft\">" + counted(std::ssize(study.attacks), "attack") + " against " +
         counted(std::ssize(study.defenses), "defense") + ", " + counted(std::ssize(summary.seeds), "seed") +
         " each, made with roclip-bench.</p>\n" + problems + headline(summary) + "<h2>Grids</h2>\n<p class=\"soft\">" +
         (summary.seeds.size() == 1 ? "Percentage, 95 % Wilson interval, hits/trials, time of a cell."
                                    : "Mean over seeds, 95 % t interval of the mean (spread at least that of "
                                      "counting), seeds, time of a cell; "
                                      "point at a cell for each seed.") +
         " p: paired exact test against " + h(study.defenses.empty() ? "" : study.defenses[0]) +
         ", corrected after Holm over the table; underlined = better, corrected p below 0.05.</p>\n" + grids(summary) +
         trade_offs(summary) + curves(study, stored) + sweeps(summary, stored) + pictures(study, stored) +
         provenance(study, stored) + "</html>\n";
}

}  // namespace roclip::bench
