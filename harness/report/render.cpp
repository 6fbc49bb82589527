#include "harness/report/render.h"

#include <algorithm>
#include <cmath>

#include <boost/algorithm/string/replace.hpp>

namespace roclip::bench {

namespace {

std::string counts(const Counted& count) { return std::to_string(count.hits) + "/" + std::to_string(count.trials); }

/// "12.5", or "0.931" of a value.
std::string number(double value, const MetricKind& kind) {
  return kind.unit.empty() ? percent(value) : format("%.3g", value);
}

/// "12.5 % 2/16 [3.5, 36.0]", over seeds "12.5 % 9 seeds [8.1, 16.9]", or the status of the cells.
std::string entry_text(const Entry& entry, const MetricKind& kind) {
  if (entry.seeds.empty()) return entry.status == "ok" ? "-" : entry.status;
  std::string text = with_unit(entry.mean, kind);
  for (const auto& part : {sample_text(entry), interval_text(entry, kind)}) text += (part.empty() ? "" : " ") + part;
  return text;
}

std::string aligned(std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widths;
  for (auto& row : rows) {
    std::ranges::transform(row, row.begin(), escape_text);
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
std::string indented(const std::string& text) { return boost::replace_all_copy(text, "\n", "\n         "); }

/// "ok        targeted x roclip, seed 1", or the status, with the reason below.
std::string first_line(Status status, const std::string& name, const std::string& reason) {
  std::string word(to_string(status));
  word.resize(std::max<std::size_t>(word.size() + 1, 9), ' ');
  return word + escape_text(name) + (status == Status::kOk ? "" : "\n         " + indented(escape_lines(reason)));
}

/// A number, or nothing.
std::string csv_number(std::optional<double> value) { return value ? format("%.6g", *value) : ""; }

std::string heading(const Table& table, const Summary& summary) {
  if (summary.seeds.size() != 1) return "mean over seeds [95 % interval of the mean]";
  return table.kind.unit.empty() ? "hits/trials [95 % Wilson interval]" : "value [95 % interval]";
}

/// What a reader must know of a table besides its numbers.
std::vector<std::string> remarks(const Table& table, const Summary& summary) {
  std::vector<std::string> lines;
  if (table.any_differs()) {
    lines.push_back("* differs from " + summary.defenses[0] + ", p < 0.05 after Holm's correction for " +
                    counted(std::int64_t(table.comparisons), "paired comparison"));
  }
  if (const auto limit = detectable(table, summary.seeds.size()); !limit.empty()) lines.push_back(limit);
  if (!summary.correction.empty()) lines.push_back(summary.correction);
  if (!table.models.empty()) lines.push_back(table.models);
  return lines;
}

}  // namespace

std::string with_unit(double value, const MetricKind& kind) {
  return number(value, kind) + (kind.unit.empty() ? " %" : kind.unit == "1" ? "" : " " + kind.unit);
}

std::string interval_text(const Entry& entry, const MetricKind& kind) {
  if (!entry.interval) return "";
  return "[" + number(entry.interval->low, kind) + ", " + number(entry.interval->high, kind) + "]";
}

std::string sample_text(const Entry& entry) {
  const auto& seeds = entry.seeds;
  if (seeds.size() == 1) return seeds[0].headline.count ? counts(*seeds[0].headline.count) : "";
  return std::to_string(seeds.size()) + (seeds.size() < entry.cells ? " of " + std::to_string(entry.cells) : "") +
         " seeds";
}

bool better_than_reference(const Entry& entry, const Table& table) {
  return entry.differs() && (entry.against_reference->difference < 0) == table.kind.lower_is_better;
}

std::string cell_line(const CellRecord& record) {
  std::string line = first_line(record.status, cell_name(record.attack, record.defense, record.seed), record.reason);
  if (!record.ok()) {
    if (record.output.empty()) return line;
    return line + indented("\nlast output, " + escape_text(record.log) + ":\n" + escape_lines(record.output));
  }
  for (const auto& id : record.metric_ids()) {
    const MetricRecord& metric = record.metrics.at(id);
    if (const auto* count = metric.headline_count()) {
      line += "   " + escape_text(base_name(id)) + " " + counts(count->counted());
      if (count->trials > 0) line += " (" + percent(count->counted().share()) + " %)";
    } else if (const auto* value = metric.headline_value()) {
      line += "   " + escape_text(base_name(id)) + " " + with_unit(value->value, {.unit = value->unit});
    }
  }
  return line + "   " + std::to_string(std::llround(record.cost.wall_s)) + " s";
}

std::string render_text(const Summary& summary) {
  std::string text;
  for (const auto& table : summary.tables) {
    std::vector<std::vector<std::string>> rows = {{"attack"}};
    for (const auto& defense : summary.defenses) rows[0].push_back(defense);
    for (const auto& row : table.rows) {
      auto& line = rows.emplace_back(std::vector{row.attack});
      for (const auto& entry : row.entries) {
        line.push_back(entry_text(entry, table.kind) + (entry.differs() ? "*" : ""));
      }
      if (!row.note.empty()) line.push_back(row.note);
    }
    text += "\n" + escape_text(table.metric) + "   (" + heading(table, summary) + ")\n" + aligned(rows);
    for (const auto& remark : remarks(table, summary)) text += "  " + escape_text(remark) + "\n";
  }
  std::string trouble;
  for (const auto& cell : summary.problems) {
    trouble += first_line(cell.status, cell_name(cell.attack, cell.defense, cell.seed), cell.reason) + "\n";
  }
  return text + (trouble.empty() ? "" : "\nCells that did not end with status ok:\n" + trouble) + "\n";
}

std::string render_markdown(const Summary& summary) {
  std::string text = "# " + escape_markdown(summary.name) + "\n";
  for (const auto& table : summary.tables) {
    text += "\n## " + escape_markdown(table.metric) + "\n\n" + (table.kind.lower_is_better ? "Lower" : "Higher") +
            " is better. " + heading(table, summary) + ".\n\n| attack |";
    for (const auto& defense : summary.defenses) text += " " + escape_markdown(defense) + " |";
    text += "\n|---|";
    for (std::size_t i = 0; i < summary.defenses.size(); ++i) text += "---|";
    for (const auto& row : table.rows) {
      text += "\n| " + escape_markdown(row.attack) + (row.note.empty() ? "" : " (" + row.note + ")") + " |";
      for (const auto& entry : row.entries) {
        std::string value = entry_text(entry, table.kind);
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
  if (!summary.correction.empty()) text += "\n" + summary.correction + ".\n";
  if (!summary.problems.empty()) text += "\n## Cells that did not end with status ok\n\n";
  for (const auto& cell : summary.problems) {
    text += "- " + escape_markdown(cell.id + ": " + std::string(to_string(cell.status)) + ": " + cell.reason) + "\n";
  }
  if (summary.missing > 0) text += "\n" + counted(std::int64_t(summary.missing), "cell") + " missing.\n";
  return text;
}

std::string render_latex(const Summary& summary) {
  std::string text = "% In the preamble: \\usepackage{booktabs}\n";
  for (const auto& table : summary.tables) {
    const auto latex = [&](double value) {
      const std::string unit = table.kind.unit.empty() ? "\\,\\%" : table.kind.unit == "1" ? "" : "\\,";
      return number(value, table.kind) + unit + (unit == "\\," ? escape_latex(table.kind.unit) : "");
    };
    text += "% " + escape_latex(table.metric + ": " + heading(table, summary)) +
            "; bold: better than the first defense, p < 0.05 after Holm's correction\n\\begin{tabular}{l" +
            std::string(summary.defenses.size(), 'r') + "}\n\\toprule\nattack";
    for (const auto& defense : summary.defenses) text += " & " + escape_latex(defense);
    text += " \\\\\n\\midrule\n";
    for (const auto& row : table.rows) {
      text += escape_latex(row.attack);
      for (const auto& entry : row.entries) {
        std::string value = entry.seeds.empty() ? escape_latex(entry_text(entry, table.kind)) : latex(entry.mean);
        if (better_than_reference(entry, table)) value = "\\textbf{" + value + "}";
        if (entry.interval) value += " {\\footnotesize " + interval_text(entry, table.kind) + "}";
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
        const std::string place = spreadsheet_field(table.metric) + "," + spreadsheet_field(row.attack) + "," +
                                  spreadsheet_field(entry.defense) + ",";
        if (entry.seeds.empty()) text += place + "," + entry.status + ",,,,,,,\n";
        for (const auto& [seed, headline, device] : entry.seeds) {
          const auto& [value, count, unused] = headline;
          const auto& c = entry.against_reference;
          const auto bound = [&](double Interval::*side) {
            return csv_number(entry.interval ? std::optional((*entry.interval).*side) : std::nullopt);
          };
          text += place + std::to_string(seed) + "," + entry.status + "," +
                  (count ? std::to_string(count->hits) + "," + std::to_string(count->trials) : ",") + "," +
                  csv_number(value) + "," + csv_number(entry.mean) + "," + bound(&Interval::low) + "," +
                  bound(&Interval::high) + "," + csv_number(c ? std::optional(c->p_holm) : std::nullopt) + "\n";
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
    const bool missing = cell.status == Status::kMissing;
    cases += "  <testcase classname=\"" + escape_xml(cell.attack) + "\" name=\"" + escape_xml(cell.defense) +
             ", seed " + std::to_string(cell.seed) + "\" time=\"" + (cell.wall_s ? format("%.3f", *cell.wall_s) : "0") +
             "\"";
    if (cell.ok()) {
      cases += "/>\n";
      continue;
    }
    (missing ? skipped : errors) += 1;
    const std::string reason = escape_xml(cell.reason.empty() ? "was not run" : cell.reason);
    cases += missing ? "><skipped message=\"" + reason + "\"/></testcase>\n"
                     : "><error type=\"" + std::string(to_string(cell.status)) + "\" message=\"" + reason +
                           "\"/></testcase>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + escape_xml(study.name) + "\" tests=\"" +
         std::to_string(study.cells.size()) + "\" errors=\"" + std::to_string(errors) + "\" failures=\"0\" skipped=\"" +
         std::to_string(skipped) + "\">\n" + cases + "</testsuite>\n";
}

}  // namespace roclip::bench
