//! One line of hex text, in any of the ways programs and people write it.

use super::{CaptureError, Direction};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing: a block ends here.
    Blank,
    /// A comment: no block ends here.
    Comment,
    /// `*`, as `hexdump` writes for lines that repeat the one above.
    Repeat,
    /// Bytes, or only a direction.
    Bytes {
        /// What the prefix says, if there is one.
        direction: Option<Direction>,
        /// What the offset column says, if there is one.
        offset: Option<usize>,
        /// The bytes.
        bytes: Vec<u8>,
        /// How many of the last bytes may be an ASCII column that looks like hex.
        doubtful: usize,
    },
}

/// The dump a line may be a part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    /// How many bytes a line has, once that is beyond doubt.
    pub width: Option<usize>,
}

/// Reads one line; `inside` a dump, each line has an offset.
pub(super) fn parse(number: usize, text: &str, inside: Option<Inside>) -> Result<Line, CaptureError> {
    let chars: Vec<char> = text.chars().collect();
    let mut line = Scanner { chars: &chars, at: 0, number };
    line.spaces();
    match line.peek(0) {
        None => return Ok(Line::Blank),
        Some('#') => return Ok(Line::Comment),
        Some('*') if inside.is_some() && chars[line.at + 1..].iter().all(|c| c.is_whitespace()) => {
            return Ok(Line::Repeat);
        }
        Some(_) => {}
    }
    let direction = line.direction();
    line.spaces();
    let inside = inside.filter(|_| direction.is_none());
    let offset = line.offset(inside.is_some());
    if inside.is_some() && offset.is_none() {
        return Err(CaptureError::NoOffset { line: number });
    }
    let (bytes, doubtful) = match offset {
        Some(_) => line.dump(inside.and_then(|inside| inside.width))?,
        None => (line.digits()?, 0),
    };
    Ok(Line::Bytes { direction, offset, bytes, doubtful })
}

struct Scanner<'a> {
    chars: &'a [char],
    at: usize,
    number: usize,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// Passes white space and says how much of it there was.
    fn spaces(&mut self) -> usize {
        let spaces = self.chars[self.at..].iter().take_while(|c| c.is_whitespace()).count();
        self.at += spaces;
        spaces
    }

    /// Passes the prefix that says who speaks.
    fn direction(&mut self) -> Option<Direction> {
        let rest = &self.chars[self.at..];
        let arrows = |arrow| rest.iter().take_while(|c| **c == arrow).count();
        let (len, direction) = match (arrows('>'), arrows('<')) {
            (0, 0) => {
                let word: String = rest.iter().take(8).take_while(|c| **c != ':').collect();
                if rest.get(word.chars().count()) != Some(&':') {
                    return None;
                }
                let direction = match word.to_ascii_lowercase().as_str() {
                    "client" | "c" => Direction::ToHost,
                    "host" | "server" | "h" | "s" => Direction::ToClient,
                    _ => return None,
                };
                (word.len() + 1, direction)
            }
            (to_host, 0) => (to_host, Direction::ToHost),
            (_, to_client) => (to_client, Direction::ToClient),
        };
        self.at += len;
        Some(direction)
    }

    /// Passes an offset column. A dump begins at offset 0, and that is how one is
    /// told from data: data may begin with zeros too, but not set apart like this.
    fn offset(&mut self, inside: bool) -> Option<usize> {
        let marker = if self.peek(0) == Some('0') && matches!(self.peek(1), Some('x' | 'X')) { 2 } else { 0 };
        let digits: String = self.chars[self.at + marker..].iter().take_while(|c| c.is_ascii_hexdigit()).collect();
        if !(3..=16).contains(&digits.len()) {
            return None;
        }
        let value = usize::from_str_radix(&digits, 16).ok()?;
        let mut len = marker + digits.len();
        let colon = self.peek(len) == Some(':');
        len += usize::from(colon);
        let set_apart = match (self.peek(len), self.peek(len + 1)) {
            (None, _) => colon || inside,
            (Some(c), next) if c.is_whitespace() => {
                colon || inside || next.is_none_or(char::is_whitespace) || self.two_digits(len + 1)
            }
            _ => false,
        };
        if !set_apart || (!inside && value != 0) {
            return None;
        }
        self.at += len;
        Some(value)
    }

    /// Whether exactly two digits stand there: a group unlike the longer one before it.
    fn two_digits(&self, ahead: usize) -> bool {
        let digit = |at| self.peek(at).is_some_and(|c| c.is_ascii_hexdigit());
        digit(ahead) && digit(ahead + 1) && self.peek(ahead + 2).is_none_or(char::is_whitespace)
    }

    /// Hex digits to the end of the line, however they are set apart.
    fn digits(&mut self) -> Result<Vec<u8>, CaptureError> {
        let mut bytes = Vec::new();
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('#', _) => break,
                (' ' | '\t' | ',' | ':' | '-' | ';', _) => self.at += 1,
                ('0', Some('x' | 'X')) | ('\\', Some('x')) => {
                    self.at += 2;
                    self.run(true, &mut bytes)?;
                }
                (c, _) if c.is_whitespace() => self.at += 1,
                _ => self.run(false, &mut bytes)?,
            }
        }
        Ok(bytes)
    }

    /// The hex digits of a line of a dump, and how many of them may be none. The
    /// text at the end of such a line may look like hex as well.
    fn dump(&mut self, width: Option<usize>) -> Result<(Vec<u8>, usize), CaptureError> {
        let mut bytes = Vec::new();
        let mut sure = None;
        while width.is_none_or(|width| bytes.len() < width) {
            let gap = self.spaces();
            // Half of a line of 16 is set apart by one more space, and so is the text
            // behind a whole line of 8. What is left is too long for the one or the other.
            let middle = gap == 2 && bytes.len() == 8;
            if middle && width.is_none() && self.chars.len() - self.at <= TEXT_OF_8_MAX {
                sure = Some(bytes.len());
            }
            let run = match self.peek(0) {
                None | Some('|' | '#') => break,
                Some(_) if gap >= 2 && !bytes.is_empty() && !middle => break,
                Some('-') if !bytes.is_empty() => {
                    self.at += 1;
                    continue;
                }
                Some(_) => self.run(false, &mut bytes),
            };
            let ends = self.peek(0).is_none_or(|c| c.is_whitespace() || matches!(c, '|' | '-' | '#'));
            let run = if ends { run } else { run.and_then(|()| Err(self.not_hex())) };
            match (run, sure) {
                (Ok(()), _) => {}
                (Err(_), Some(sure)) => {
                    bytes.truncate(sure);
                    break;
                }
                (Err(error), None) => return Err(error),
            }
        }
        let doubtful = sure.map_or(0, |sure| bytes.len() - sure);
        Ok((bytes, doubtful))
    }

    /// One run of hex digits; a single one is a byte only behind a `0x`.
    fn run(&mut self, marked: bool, bytes: &mut Vec<u8>) -> Result<(), CaptureError> {
        let run: Vec<u8> =
            self.chars[self.at..].iter().map_while(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        let column = self.at + 1;
        match run.len() {
            0 => return Err(self.not_hex()),
            1 if marked => bytes.push(run[0]),
            digits if digits % 2 == 1 => {
                // What follows the run at once is rather a typing error than its end.
                let after =
                    self.peek(digits).filter(|c| !c.is_whitespace() && !matches!(c, ',' | ':' | ';' | '-' | '#' | '|'));
                if after.is_some() {
                    self.at += digits;
                    return Err(self.not_hex());
                }
                return Err(CaptureError::OddDigits { line: self.number, column, digits });
            }
            _ => bytes.extend(run.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low)),
        }
        self.at += run.len();
        Ok(())
    }

    fn not_hex(&self) -> CaptureError {
        // At the end of the line, what stands before it was promising more.
        let at = self.at.min(self.chars.len() - 1);
        CaptureError::NotHex { line: self.number, column: at + 1, found: self.chars[at] }
    }
}

/// Eight characters, with a bar on either side or white space behind them.
const TEXT_OF_8_MAX: usize = 10;
