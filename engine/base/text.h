// Text that somebody else wrote (names, paths, keys, whatever a file holds), made safe for the place where it
// is shown: one function for each place, which shows the text and does nothing else.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace eb::engine {

// For messages and logs: what shows as a character stays as it is; quotes, control characters and what is
// hidden or turns the text around have JSON's escapes, bytes that are no UTF-8 are \xNN. Cut after `limit`
// bytes.
std::string printable(const std::string& text, size_t limit = 200);
std::string quote(const std::string& text, size_t limit = 80);  // the same in double quotes
std::string printable_path(const std::filesystem::path& path);  // whole
std::string quote_path(const std::filesystem::path& path);

// For what is meant to be pasted into a shell: one word of it, in quotes where the shell would read it
// otherwise.
std::string shell_word(const std::string& text);

// For a terminal that draws: control characters dropped, anything else that is not ASCII as "?", cut after
// `limit` characters.
std::string terminal_text(std::string_view text, size_t limit = 60);

// For files that must be UTF-8: every broken sequence becomes U+FFFD.
std::string utf8(const std::string& text);

// Names are bytes, a config is UTF-8: bytes that are none stand in it as U+EF80 to U+EFFF, characters of no
// alphabet, and bytes_of_text gives them back.
std::string text_of_bytes(std::string_view bytes);
std::string bytes_of_text(std::string_view text);

// For HTML, as element content and in quoted attributes. &<>"' become entities, control and bidirectional
// characters become visible signs, bytes that are no UTF-8 become U+FFFD.
std::string escape_html(std::string_view text);

size_t count_characters(std::string_view text);  // a broken sequence counts as one for each byte
// The beginning and the end of a text of more than `most` characters, for labels in pictures. Not escaped.
std::string shorten(std::string_view text, size_t most = 24);

}  // namespace eb::engine
