//! Lines of a terminal, where a Chinese character takes two columns and may end a line without a space.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a terminal gives `text`.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` and as many spaces as `columns` want; format strings count characters.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(text.width()))
}

/// The words in lines of at most `columns`, as far as no word is longer.
///
/// Lines break at spaces and beside wide characters, but no line begins with
/// punctuation that closes or ends with a bracket that opens.
pub fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let mut space = " ";
        for piece in pieces(word) {
            let line = lines.last_mut().expect("there is a first line");
            if line.is_empty() {
                line.push_str(piece);
            } else if line.width() + space.len() + piece.width() <= columns {
                line.push_str(space);
                line.push_str(piece);
            } else {
                lines.push(piece.to_owned());
            }
            space = "";
        }
    }
    lines
}

/// The parts of a word that stay on one line.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut before) = (0, None);
    for (at, character) in word.char_indices() {
        if before.is_some_and(|before| may_part(before, character)) {
            pieces.push(&word[start..at]);
            start = at;
        }
        before = Some(character);
    }
    pieces.push(&word[start..]);
    pieces
}

fn may_part(before: char, after: char) -> bool {
    let is_wide = |character: char| character.width() == Some(2);
    (is_wide(before) || is_wide(after)) && !OPENING.contains(before) && !CLOSING.contains(after)
}

const OPENING: &str = "「『（【《〈([{";
const CLOSING: &str = "。，、；：！？」』）】》〉…)]}.,;:!?%'\"";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_wrapped_and_never_lost() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
    }

    #[test]
    fn chinese_breaks_between_characters_and_counts_two_columns_for_each() {
        assert_eq!(wrapped("計數不足時等待", 8), ["計數不足", "時等待"]);
        assert_eq!(wrapped("計數不足，等待", 8), ["計數不", "足，等待"], "a comma begins no line");
        assert_eq!(wrapped("請按「確定」", 6), ["請按", "「確", "定」"], "a bracket that opens ends no line");
        assert_eq!(wrapped("主機 KMS 回應", 8), ["主機 KMS", "回應"]);
        assert_eq!(wrapped("以0xC004F06C回應", 12), ["以0xC004F06C", "回應"], "a code is never cut");
        assert_eq!([columns("計數"), columns("count")], [4, 5]);
        assert_eq!(padded("計數", 6), "計數  ");
        assert_eq!(padded("計數", 3), "計數");
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn any_text_keeps_its_characters_and_its_margin(words in TEXT, columns in 12_usize..40) {
            let lines = wrapped(&words, columns);
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(&lines.concat()), bare(&words));
            for line in &lines {
                let is_one_piece = pieces(line).len() == 1 && !line.contains(' ');
                prop_assert!(line.width() <= columns || is_one_piece, "{line}");
                prop_assert!(!line.starts_with(|first| CLOSING.contains(first)), "{line}");
            }
        }
    }

    /// Words that begin with nothing that closes.
    const TEXT: &str =
        "[主機「（a-c(][主機回應「」（），。、a-c()]{0,9}( [主機「（a-c(][主機回應「」（），。、a-c()]{0,9}){0,9}";
}
