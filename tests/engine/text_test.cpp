// What stands in messages, on terminals and in pages of text that somebody else wrote.
#include "engine/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace eb::engine {

TEST(Text, a_message_shows_characters_and_spells_what_is_none) {
  EXPECT_EQ(printable("plain text, 100 %"), "plain text, 100 %");
  EXPECT_EQ(printable("Größe ü 漢字 🐦"), "Größe ü 漢字 🐦");
  EXPECT_EQ(printable("a\x1b[31m\n\t\x7f\u0085"), "a\\u001b[31m\\n\\t\\u007f\\u0085");
  EXPECT_EQ(printable("\"ü\\"), "\\\"ü\\\\");
  EXPECT_EQ(printable("a\u202eb\u200b"), "a\\u202eb\\u200b");
  EXPECT_EQ(printable("a\xff\uFFFD"), "a\\xff\uFFFD");
  EXPECT_EQ(printable(text_of_bytes("caf\xe9")), "caf\\xe9");
}

TEST(Text, a_word_for_a_shell_is_quoted_where_it_must) {
  EXPECT_EQ(shell_word("runs/a-b_c.1"), "runs/a-b_c.1");
  EXPECT_EQ(shell_word("Größe"), "Größe");
  EXPECT_EQ(shell_word("Größe ü"), "'Größe ü'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("~/$x"), "'~/$x'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("caf\xe9's\n"), "$'caf\\xe9\\'s\\x0a'");
}

TEST(Text, a_config_keeps_the_bytes_of_a_name) {
  for (const std::string name : {"plain", "Größe", "caf\xe9", "\xff\xfe/\xc3", "a\uFFFD\xe2\x82"}) {
    const std::string text = text_of_bytes(name);
    EXPECT_EQ(utf8(text), text) << "not UTF-8";
    EXPECT_EQ(bytes_of_text(text), name);
    EXPECT_EQ(text_of_bytes(text), text) << "twice is once";
  }
  EXPECT_EQ(text_of_bytes("Größe"), "Größe");
}

TEST(Text, a_message_cuts_what_is_too_long) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef...");
  EXPECT_EQ(quote(std::string(100, 'a')), "\"" + std::string(80, 'a') + "...\"");
}

TEST(Text, a_path_is_shown_whole) {
  const std::string path = "/" + std::string(300, 'd') + "/ä";
  EXPECT_EQ(printable_path(path), "/" + std::string(300, 'd') + "/ä");
  EXPECT_EQ(quote_path(path), "\"" + printable_path(path) + "\"");
}

TEST(Text, a_terminal_sees_no_control_characters) {
  EXPECT_EQ(terminal_text("a\x1b[31mb\n\x7f\xc2\x9b"
                          "c\x9b"),
            "a[31mbc");
  EXPECT_EQ(terminal_text("Übung\u202e"), "?bung?");
  EXPECT_EQ(terminal_text(std::string(10'000, 'x')).size(), 60u);
}

TEST(Text, utf8_replaces_what_is_none_and_nothing_else) {
  EXPECT_EQ(utf8("größer \"漢字\" \n🐦"), "größer \"漢字\" \n🐦");
  EXPECT_EQ(utf8("a\xff"
                 "b\xe2\x82"),
            "a\uFFFDb\uFFFD");
}

TEST(Text, html_escapes_what_could_become_markup) {
  EXPECT_EQ(escape_html("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape_html("größer 漢字 🐦"), "größer 漢字 🐦");
}

TEST(Text, html_shows_control_and_bidirectional_characters) {
  EXPECT_EQ(escape_html(std::string("a\0b\n\x1b\x7f", 6)), "a␀b␊␛␡");
  EXPECT_EQ(escape_html("a\u202Eb\u2066c\u200B\uFEFF"), "a[U+202E]b[U+2066]c[U+200B][U+FEFF]");
  EXPECT_EQ(escape_html("\u0085"), "\uFFFD");
}

TEST(Text, html_replaces_what_is_no_utf8) {
  EXPECT_EQ(escape_html("a\xff"
                        "b"),
            "a\uFFFDb");
  EXPECT_EQ(escape_html(text_of_bytes("a\xff")), "a\uFFFD");
  EXPECT_EQ(escape_html("\xc0\xbc"), "\uFFFD\uFFFD");                      // an overlong <
  EXPECT_EQ(escape_html("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // half of a surrogate pair
  EXPECT_EQ(escape_html("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // above the last character
  EXPECT_EQ(escape_html("\xe2\x82"), "\uFFFD\uFFFD");                      // cut short
}

TEST(Text, a_label_keeps_both_ends) {
  EXPECT_EQ(shorten("äöüäöüäöü", 7), "äöüä…öü");
  EXPECT_EQ(shorten("äöüäöüä", 7), "äöüäöüä");
  EXPECT_EQ(count_characters("äö\xff"), 3u);
}

}  // namespace eb::engine
