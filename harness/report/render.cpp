#include "harness/report/render.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "harness/record/csv_field.h"

namespace roclip::bench {

namespace {

std::string counts(const Counted& count) { return std::to_string(count.hits) + "/" + std::to_string(count.trials); }

std::string interval(const Entry& entry) {
  return "[" + percent(entry.interval.low) + ", " + percent(entry.interval.high) + "]";
}

/// "12.5 % 2/16", over seeds "12.5 % 9 seeds".
std::string value_text(const Entry& entry) {
  const std::string n = entry.seeds.size() == 1
                            ? counts(entry.seeds[0].count)
                            : std::to_string(entry.seeds.size()) +
                                  (entry.seeds.size() < entry.cells ? " of " + std::to_string(entry.cells) : "") +
                                  " seeds";
  return percent(entry.mean) + " % " + n;
}

std::string entry_text(const Entry& entry) {
  if (entry.seeds.empty()) return entry.status == "ok" ? "-" : entry.status;
  const bool star = entry.against_reference && entry.against_reference->significant();
  return value_text(entry) + " " + interval(entry) + (star ? "*" : "");
}

bool better_than_reference(const Entry& entry, const Table& table) {
  const auto& c = entry.against_reference;
  return c && c->significant() && (c->difference < 0) == table.lower_is_better;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 3, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

/// Every line after the first starts below the first word of a cell's line.
std::string indented(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '\n' ? std::string("\n         ") : std::string(1, c);
  return result;
}

std::string replaced(const std::string& text, const std::vector<std::pair<char, std::string>>& replacements) {
  std::string result;
  for (const char c : text) {
    const auto found = std::ranges::find(replacements, c, &std::pair<char, std::string>::first);
    result += found == replacements.end() ? std::string(1, c) : found->second;
  }
  return result;
}

std::string escape_latex(const std::string& text) {
  return replaced(text, {{'\\', "\\textbackslash{}"},
                         {'&', "\\&"},
                         {'%', "\\%"},
                         {'$', "\\$"},
                         {'#', "\\#"},
                         {'_', "\\_"},
                         {'{', "\\{"},
                         {'}', "\\}"},
                         {'~', "\\textasciitilde{}"},
                         {'^', "\\textasciicircum{}"},
                         {'\n', " "}});
}

std::string heading(const Summary& summary) {
  return summary.seeds.size() == 1 ? "hits/trials [95 % Wilson interval]"
                                   : "mean over seeds [95 % interval of the mean]";
}

/// What a reader must know of a table besides its numbers.
std::vector<std::string> remarks(const Table& table, const Summary& summary) {
  std::vector<std::string> lines;
  const auto significant = [&](const Row& row) {
    return std::ranges::any_of(
        row.entries, [](const Entry& e) { return e.against_reference && e.against_reference->significant(); });
  };
  if (std::ranges::any_of(table.rows, significant)) {
    lines.push_back("* differs from " + summary.defenses[0] + ", p < 0.05 after Holm's correction for " +
                    counted(std::int64_t(table.comparisons), "paired comparison"));
  }
  if (const auto limit = detectable(table, summary.seeds.size()); !limit.empty()) lines.push_back(limit);
  return lines;
}

}  // namespace

std::string counted(std::int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", 100 * share);
  return text;
}

std::string escape_markdown(const std::string& text) {
  return replaced(text, {{'|', "\\|"}, {'*', "\\*"}, {'_', "\\_"}, {'<', "&lt;"}, {'`', "\\`"}, {'\n', " "}});
}

std::string escape_xml(const std::string& text) {
  std::string clean;
  for (const char c : text) clean += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
  return replaced(clean, {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}});
}

std::string cell_line(const Json& record) {
  const std::string status = record.at("status");
  std::string line = status + std::string(status.size() < 9 ? 9 - status.size() : 1, ' ') +
                     record.at("attack").get<std::string>() + " x " + record.at("defense").get<std::string>() +
                     ", seed " + std::to_string(record.at("seed").get<std::int64_t>());
  if (status != "ok") {
    line += "\n         " + record.at("reason").get<std::string>();
    const std::string output = record.value("output", "");
    return output.empty() ? line : line + indented("\nlast output, " + record.value("log", "") + ":\n" + output);
  }
  for (const auto& choice : record.at("effective").at("metrics")) {
    const std::string id = choice.at("plugin");
    const Json& metric = record.at("metrics").at(id);
    if (metric.at("counts").empty()) continue;
    const Json& count = metric.at("counts")[0];
    line += "   " + base_name(id) + " " + counts({count.at("hits"), count.at("trials")});
    if (!count.at("value").is_null()) line += " (" + percent(count.at("value")) + " %)";
  }
  return line + "   " + std::to_string(std::llround(record.at("cost").at("wall_s").get<double>())) + " s";
}

std::string render_text(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    std::vector<std::vector<std::string>> rows = {{"attack"}};
    for (const auto& defense : summary.defenses) rows[0].push_back(defense);
    for (const auto& row : table.rows) {
      auto& line = rows.emplace_back(std::vector{row.attack});
      for (const auto& entry : row.entries) line.push_back(entry_text(entry));
      if (!row.note.empty()) line.push_back(row.note);
    }
    text += "\n" + table.metric + "   (" + heading(summary) + ")\n" + aligned(rows);
    for (const auto& remark : remarks(table, summary)) text += "  " + remark + "\n";
  }
  std::string trouble;
  for (const auto& cell : summary.problems) trouble += cell_line(cell) + "\n";
  return text + (trouble.empty() ? "" : "\nCells that did not end ok:\n" + trouble) + "\n";
}

std::string render_markdown(const Summary& summary) {
  std::string text = "# " + escape_markdown(summary.name) + "\n";
  for (const auto& table : summary.tables) {
    text += "\n## " + escape_markdown(table.metric) + "\n\n" + (table.lower_is_better ? "Lower" : "Higher") +
            " is better. " + heading(summary) + ".\n\n| attack |";
    for (const auto& defense : summary.defenses) text += " " + escape_markdown(defense) + " |";
    text += "\n|---|";
    for (std::size_t i = 0; i < summary.defenses.size(); ++i) text += "---|";
    for (const auto& row : table.rows) {
      text += "\n| " + escape_markdown(row.attack) + (row.note.empty() ? "" : " (" + row.note + ")") + " |";
      for (const auto& entry : row.entries) {
        std::string value = entry.seeds.empty() ? entry_text(entry) : value_text(entry) + " " + interval(entry);
        if (better_than_reference(entry, table)) value = "**" + value + "**";
        text += " " + value + " |";
      }
    }
    text += "\n";
    const bool bold = std::ranges::any_of(table.rows, [&](const Row& row) {
      return std::ranges::any_of(row.entries, [&](const Entry& e) { return better_than_reference(e, table); });
    });
    if (bold) {
      text += "\nBold: better than " + escape_markdown(summary.defenses[0]) +
              ", p < 0.05 after Holm's correction for " +
              counted(std::int64_t(table.comparisons), "paired comparison") + ".\n";
    }
    if (const auto limit = detectable(table, summary.seeds.size()); !limit.empty()) text += "\n" + limit + ".\n";
  }
  if (!summary.problems.empty()) text += "\n## Cells that did not end ok\n\n";
  for (const auto& cell : summary.problems) {
    text += "- " +
            escape_markdown(cell.at("id").get<std::string>() + ": " + cell.at("status").get<std::string>() + ": " +
                            cell.at("reason").get<std::string>()) +
            "\n";
  }
  if (summary.missing > 0) text += "\n" + counted(std::int64_t(summary.missing), "cell") + " missing.\n";
  return text;
}

std::string render_latex(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    text += "% " + table.metric + ": " + replaced(heading(summary), {{'%', "percent"}}) +
            "; bold: better than the first defense, p < 0.05 after Holm\n\\begin{tabular}{l" +
            std::string(summary.defenses.size(), 'r') + "}\n\\toprule\nattack";
    for (const auto& defense : summary.defenses) text += " & " + escape_latex(defense);
    text += " \\\\\n\\midrule\n";
    for (const auto& row : table.rows) {
      text += escape_latex(row.attack);
      for (const auto& entry : row.entries) {
        std::string value = entry.seeds.empty() ? escape_latex(entry_text(entry)) : percent(entry.mean) + "\\,\\%";
        if (better_than_reference(entry, table)) value = "\\textbf{" + value + "}";
        if (!entry.seeds.empty()) {
          value += " {\\footnotesize [" + percent(entry.interval.low) + ", " + percent(entry.interval.high) + "]}";
        }
        text += " & " + value;
      }
      text += " \\\\" + (row.note.empty() ? "" : " % " + row.note) + "\n";
    }
    text += "\\bottomrule\n\\end{tabular}\n\n";
  }
  return text;
}

std::string render_csv(const Summary& summary) {
  std::string text = "metric,attack,defense,seed,status,hits,trials,value,mean,low,high,p_holm\n";
  for (const auto& table : summary.tables) {
    for (const auto& row : table.rows) {
      for (const auto& entry : row.entries) {
        const std::string place =
            csv_field(table.metric) + "," + csv_field(row.attack) + "," + csv_field(entry.defense);
        if (entry.seeds.empty()) text += place + ",," + entry.status + ",,,,,,,\n";
        for (const auto& value : entry.seeds) {
          char numbers[160];
          std::snprintf(numbers, sizeof numbers, ",%lld,%s,%lld,%lld,%.6g,%.6g,%.6g,%.6g,",
                        static_cast<long long>(value.seed), entry.status.c_str(),
                        static_cast<long long>(value.count.hits), static_cast<long long>(value.count.trials),
                        value.count.share(), entry.mean, entry.interval.low, entry.interval.high);
          text += place + numbers;
          if (entry.against_reference) {
            std::snprintf(numbers, sizeof numbers, "%.6g", entry.against_reference->p_holm);
            text += numbers;
          }
          text += "\n";
        }
      }
    }
  }
  return text;
}

std::string render_junit(const Study& study) {
  std::size_t errors = 0, skipped = 0;
  std::string cases;
  for (const auto& cell : study.cells) {
    const std::string status = cell.at("status");
    const bool missing = status == "missing";
    char time[32] = "0";
    if (cell.at("wall_s").is_number()) std::snprintf(time, sizeof time, "%.3f", cell.at("wall_s").get<double>());
    cases += "  <testcase classname=\"" + escape_xml(cell.at("attack").get<std::string>()) + "\" name=\"" +
             escape_xml(cell.at("defense").get<std::string>()) + ", seed " + cell.at("seed").dump() + "\" time=\"" +
             time + "\"";
    if (status == "ok") {
      cases += "/>\n";
      continue;
    }
    (missing ? skipped : errors) += 1;
    const std::string reason = cell.at("reason").is_string() ? cell.at("reason").get<std::string>() : "was not run";
    cases += missing ? "><skipped message=\"" + escape_xml(reason) + "\"/></testcase>\n"
                     : "><error type=\"" + status + "\" message=\"" + escape_xml(reason) + "\"/></testcase>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + escape_xml(study.name) + "\" tests=\"" +
         std::to_string(study.cells.size()) + "\" errors=\"" + std::to_string(errors) + "\" failures=\"0\" skipped=\"" +
         std::to_string(skipped) + "\">\n" + cases + "</testsuite>\n";
}

}  // namespace roclip::bench
