/// Text that came from data or a user (labels, captions, reasons, what plugins print), made harmless for each kind of
/// output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roclip::bench {

bool is_utf8(std::string_view text);
/// The text with U+FFFD in place of what is not UTF-8.
std::string as_utf8(const std::string& text);

/// For a terminal: control characters, bytes that are not UTF-8 and marks that change the direction of writing are
/// shown ("\x1b"); a tab or the end of a line becomes a space.
std::string escape_text(std::string_view text);
/// The same for text of several lines: the ends of lines and tabs stay.
std::string escape_lines(std::string_view text);
/// escape_text(), with Markdown's own characters taken for what they are.
std::string escape_markdown(std::string_view text);
/// escape_text(), with LaTeX's own characters taken for what they are.
std::string escape_latex(std::string_view text);
/// escape_lines(), with &, <, >, " and ' as entities: for HTML, SVG and JUnit.
std::string escape_xml(std::string_view text);
/// As one word of a POSIX shell, quoted where it has to be.
std::string shell_word(const std::string& text);
/// The command that these words are.
std::string shell_command(const std::vector<std::string>& words);
/// A field of comma-separated values (RFC 4180) with exactly this content, for programs.
std::string csv_field(std::string_view text);
/// escape_text() as such a field, for people: a spreadsheet takes no content for a formula, since an apostrophe stands
/// before =, +, -, @, a tab or the end of a line at its front.
std::string spreadsheet_field(std::string_view text);

}  // namespace roclip::bench
