//! Text for a terminal, whoever wrote it.

/// The text without anything a terminal would act on: control characters, changes of direction
/// and their like are shown as escapes. Line feeds stay.
pub(super) fn plain(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '"' | '\'' | '\\' => clean.push(letter),
            _ => clean.extend(letter.escape_debug()),
        }
    }
    clean
}

/// `1 byte`, `2 bytes`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The words in lines of at most `columns`.
pub(super) fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.len() - 1;
        if lines[line].is_empty() {
            lines[line].push_str(word);
        } else if lines[line].chars().count() + 1 + word.chars().count() <= columns {
            lines[line].push(' ');
            lines[line].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_gets_through() {
        assert_eq!(plain("\"a\\b\"\n電腦"), "\"a\\b\"\n電腦");
        assert_eq!(plain("\x1b[31m\u{202e}\x07\t"), "\\u{1b}[31m\\u{202e}\\u{7}\\t");
    }

    #[test]
    fn words_are_wrapped_and_never_lost() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
    }
}
